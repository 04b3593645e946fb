import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Agenda, type Entry, newEntry } from '../../src/certificates/agenda.ts'
import type { OrderFacts } from '../../src/certificates/ledger/order-facts.ts'
import { RateLimits } from '../../src/certificates/ledger/rate-limits.ts'
import { type HeldFacts, type Order, planNext, type Step } from '../../src/certificates/plan.ts'
import type { WantedCertificate } from '../../src/certificates/wanted.ts'

const NOW = Date.parse('2026-11-24T12:00:00Z')
const SECOND = 1000
const HOUR = 3_600_000
const DAY = 24 * HOUR
const DIRECTORY = 'https://ca.test/directory'

type Item = Entry & {
  readonly wanted: WantedCertificate
  held: HeldFacts | undefined
  notBefore: number | undefined
  failures?: number
}

function item(name: string, held?: Partial<HeldFacts>): Item {
  const wanted: WantedCertificate = {
    id: `${name}.ecdsa-p256`,
    site: name,
    names: [name],
    keyKind: 'ecdsa-p256',
    mustStaple: false,
    issuers: ['ca'],
  }
  const facts = held && {
    names: wanted.names,
    keyKind: wanted.keyKind,
    issuer: 'ca',
    authority: DIRECTORY,
    notBefore: NOW - 80 * DAY,
    notAfter: NOW + 10 * DAY,
    obtainedAt: NOW - 80 * DAY,
    mustStaple: false,
    fingerprint: '00000000',
    ...held,
  }
  return { ...newEntry(), wanted, held: facts, notBefore: undefined }
}

/** Plans as the program does, with a CA that allows so many orders an hour. */
class Desk {
  readonly limits: RateLimits
  readonly agenda: Agenda<Item>
  readonly begun: string[] = []
  readonly running: Item[] = []
  readonly deferred: Step[] = []
  planned = 0
  isOut = false
  atOnce = 5

  constructor(ordersAnHour: number) {
    const orders = { count: ordersAnHour, periodMs: HOUR }
    this.limits = new RateLimits(() => ({ orders, certificates: { count: 3, periodMs: DAY } }))
    this.agenda = new Agenda<Item>({
      plan: (each, now) => {
        this.planned++
        const limit = () => this.limits.wait(this.order(each), now)
        const { wanted, held, notBefore } = each
        return planNext({ wanted, held, authorityOf: () => DIRECTORY, notBefore, limit }, now)
      },
      goodUntil: ({ held }) => held?.notAfter,
      failures: ({ failures }) => failures ?? 0,
      deskOf: ({ wanted }) => wanted.issuers[0]!,
      namesOf: ({ wanted }) => wanted.names.join(),
      maxAtOnce: () => this.atOnce,
      heldBy: ({ wanted }) => (this.isOut ? `outage ${wanted.issuers}` : undefined),
      suspicion: ({ failures }) => (this.isOut ? (failures ?? 0) : 0),
      deferred: (_, step) => this.deferred.push(step),
    })
  }

  order({ wanted: { names } }: Item): OrderFacts {
    const none = { isSuggested: false, isRenewal: false, needsAccount: false }
    return { authority: DIRECTORY, account: 'ca', names, ...none }
  }

  add(...items: readonly Item[]): void {
    for (const each of items) this.agenda.changed(each)
  }

  /** Begins what it can, and gives the names. */
  at(now: number): string[] {
    this.begun.length = 0
    this.agenda.begin(now, (each: Item, _step: Order) => {
      this.limits.charge(this.order(each), now).placing(false, now)
      this.begun.push(each.wanted.site)
      this.running.push(each)
    })
    return [...this.begun]
  }

  /** All that is under way has come to its end. */
  endAll(): void {
    for (const each of this.running.splice(0)) {
      each.held = { ...item(each.wanted.site, { notBefore: NOW, notAfter: NOW + 90 * DAY, obtainedAt: NOW }).held! }
      this.agenda.ended(each)
    }
  }
}

test('renewals go ahead of first orders, and of those what expires first; what was revoked goes ahead of all', () => {
  const desk = new Desk(1000)
  desk.add(
    item('new.com'),
    item('late.com', { notAfter: NOW + 9 * DAY }),
    item('soon.com', { notAfter: NOW + DAY }),
    item('expired.com', { notAfter: NOW - DAY }),
    item('revoked.com', { notAfter: NOW + 80 * DAY, revoked: 'today' }),
  )
  assert.deepEqual(desk.at(NOW), ['revoked.com', 'expired.com', 'soon.com', 'late.com', 'new.com'])
})

test('first orders that have failed hold up none that was not tried yet', () => {
  const desk = new Desk(1000)
  const [hopeless, fresh] = [item('hopeless.com'), item('new.com')]
  hopeless.failures = 3
  hopeless.notBefore = NOW - DAY
  fresh.notBefore = NOW - HOUR
  desk.add(hopeless, fresh)
  assert.deepEqual(desk.at(NOW), ['new.com', 'hopeless.com'])
})

test('no more than so many are under way, and the next begins when one ends', () => {
  const desk = new Desk(1000)
  desk.add(...Array.from({ length: 12 }, (_, index) => item(`n${index}.com`)))
  assert.equal(desk.at(NOW).length, 5)
  assert.equal(desk.at(NOW).length, 0)
  assert.ok(desk.agenda.next > NOW)
  desk.endAll()
  assert.equal(desk.at(NOW).length, 5)
})

test('of the same names one is under way at a time, unless it is put aside', () => {
  const desk = new Desk(1000)
  const [first, second, third] = [item('a.com'), item('a.com'), item('a.com')]
  desk.add(first, second, third)
  assert.deepEqual(desk.at(NOW), ['a.com'])
  assert.deepEqual(desk.at(NOW), [])
  const [aside] = desk.running
  desk.agenda.putAside(aside!)
  assert.deepEqual(desk.at(NOW), ['a.com'])
  desk.agenda.ended(aside!)
  assert.deepEqual(desk.at(NOW), [], 'its end is not the end of the other')
  assert.equal(aside!.isRunning, false)
})

test('a limit lets one through for each token, the most urgent first, and others pass by it', () => {
  const desk = new Desk(100)
  desk.atOnce = 100
  const many = Array.from({ length: 8 }, (_, index) => item(`n${index}.shop.com`))
  desk.add(...many, item('a.org'))
  // Of three a day, the last is kept for ten minutes, as the CA may have begun to count later.
  assert.deepEqual(desk.at(NOW).sort(), ['a.org', 'n0.shop.com', 'n1.shop.com'])
  assert.equal(desk.agenda.next, NOW + 600 * SECOND)
  assert.equal(
    desk.deferred.every(
      (step) => step.type === 'issue' && step.limit?.limit === '3 certificates of shop.com in 24 hours',
    ),
    true,
  )
  const urgent = item('urgent.shop.com', { names: ['old.shop.com'], notAfter: NOW + DAY })
  desk.add(urgent)
  assert.deepEqual(desk.at(NOW + SECOND), [])
  assert.deepEqual(desk.at(desk.agenda.next), ['urgent.shop.com'])
  const next = desk.agenda.next
  assert.equal(next, NOW + 8 * HOUR + 600 * SECOND)
  assert.equal(desk.at(next).length, 1)
})

test('what waits for a limit is not planned again with each token, but one at a time', () => {
  const desk = new Desk(60)
  desk.atOnce = 100
  desk.add(...Array.from({ length: 3000 }, (_, index) => item(`n${index}.com`)))
  assert.equal(desk.at(NOW).length, 59)
  for (let minute = 2; minute < 62; minute++) {
    desk.planned = 0
    desk.endAll()
    assert.equal(desk.at(NOW + minute * 60 * SECOND).length, minute === 2 ? 2 : 1)
    assert.ok(desk.planned < 130, `${desk.planned}`)
  }
})

test('a line does not move into another while all places are taken', () => {
  const desk = new Desk(60)
  desk.add(...Array.from({ length: 1000 }, (_, index) => item(`n${index}.com`)))
  let now = NOW
  for (let count = 0; count < 59; ) {
    count += desk.at(now).length
    desk.endAll()
  }
  assert.equal(desk.at(now).length, 0)
  now = desk.agenda.next
  desk.atOnce = 1
  assert.equal(desk.at(now).length, 1)
  desk.planned = 0
  for (let more = 0; more < 100; more++) desk.at(now + more * 60 * SECOND)
  assert.equal(desk.planned, 0)
})

test('two of the same names are not ordered at once', () => {
  const desk = new Desk(1000)
  const [a, b] = [item('a.com'), item('a.com')]
  desk.add(a, b)
  assert.equal(desk.at(NOW).length, 1)
  desk.endAll()
  assert.equal(desk.at(NOW).length, 1)
})

test('what is told to have changed is looked at again, and what is taken off is not', () => {
  const desk = new Desk(1000)
  const [waiting, removed] = [item('a.com'), item('b.com')]
  waiting.notBefore = NOW + DAY
  removed.notBefore = NOW + DAY
  desk.add(waiting, removed)
  assert.deepEqual(desk.at(NOW), [])
  assert.equal(desk.agenda.next, NOW + DAY)
  waiting.notBefore = undefined
  desk.add(waiting)
  desk.agenda.remove(removed)
  assert.deepEqual(desk.at(NOW), ['a.com'])
  assert.deepEqual(desk.at(NOW + 2 * DAY), [])
  assert.equal(desk.agenda.next, Number.POSITIVE_INFINITY)
})

/** CPU time in ms, which other work on this machine does not change. */
function cpuOf(work: () => void): number {
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

test('of a million, the next step is found in under a second, and an idle look takes less than a millisecond', () => {
  const desk = new Desk(1000)
  const { wanted, held } = item('x.com', { notBefore: NOW - 10 * DAY, notAfter: NOW + 80 * DAY })
  for (let index = 0; index < 1_000_000; index++) {
    const fingerprint = ((index * 2_654_435_761) % 2 ** 32).toString(16).padStart(8, '0')
    desk.agenda.changed({ ...newEntry(), wanted, held: { ...held!, fingerprint }, notBefore: undefined })
  }
  assert.deepEqual(desk.at(NOW), [])
  const due = desk.agenda.next
  assert.ok(due > NOW + 40 * DAY && due < NOW + 60 * DAY)
  desk.planned = 0
  const step = cpuOf(() => assert.equal(desk.at(due).length, 1))
  assert.ok(step < 1000, `${step} ms for the next step`)
  assert.ok(desk.planned <= 10, `${desk.planned} were planned`)
  const idle = cpuOf(() => {
    for (let look = 0; look < 1000; look++) desk.at(due)
  })
  assert.ok(idle / 1000 < 1, `${idle / 1000} ms for an idle look`)
})

test('what waits for a CA that is out of order is planned once, and then one at a time', () => {
  const desk = new Desk(1_000_000)
  desk.add(...Array.from({ length: 1000 }, (_, index) => item(`n${index}.com`)))
  assert.equal(desk.at(NOW).length, 5)
  assert.ok(desk.agenda.isBusy('ca'))
  desk.isOut = true
  desk.endAll()
  desk.at(NOW)
  assert.equal(desk.agenda.next, NOW + 60 * DAY, 'only the five that there are have a time')
  assert.ok(!desk.agenda.isBusy('ca'))
  const { planned } = desk
  for (let hour = 1; hour <= 20; hour++) assert.deepEqual(desk.at(NOW + hour * HOUR), [])
  assert.equal(desk.planned, planned)
  for (let hour = 21; hour <= 40; hour++) {
    desk.agenda.reopen()
    assert.deepEqual(desk.at(NOW + hour * HOUR), [])
  }
  assert.equal(desk.planned, planned + 20)
  desk.isOut = false
  desk.agenda.reopen()
  assert.equal(desk.at(NOW + 41 * HOUR).length, 5)
  assert.equal(desk.planned, planned + 25)
})

test('what met a CA out of order goes last while that lasts, however urgent it is', () => {
  const desk = new Desk(100)
  const suspect = item('suspect.com', { notAfter: NOW + HOUR })
  suspect.failures = 1
  desk.isOut = true
  desk.add(suspect, item('first.com'), item('renewal.com', {}))
  assert.deepEqual(desk.at(NOW), [])
  desk.isOut = false
  desk.agenda.reopen()
  assert.deepEqual(desk.at(NOW), ['renewal.com', 'first.com', 'suspect.com'])
})

test('what changes while its CA is out is looked at by itself', () => {
  const desk = new Desk(100)
  const wished = item('wished.com')
  desk.isOut = true
  desk.add(wished, item('other.com'))
  assert.deepEqual(desk.at(NOW), [])
  desk.isOut = false
  desk.agenda.changed(wished)
  assert.deepEqual(desk.at(NOW), ['wished.com'])
})
