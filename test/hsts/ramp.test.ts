import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { HstsPolicy } from '../../src/config/config.ts'
import { advance, describeHsts, type HstsMemory, hstsField } from '../../src/hsts/ramp.ts'

const DAY = 86_400_000
const START = Date.parse('2026-11-24T12:00:00Z')
const on: HstsPolicy = { mode: 'on', maxAgeSeconds: 5_184_000, includeSubdomains: false, preload: false }
const ramp: HstsPolicy = { ...on, mode: 'ramp' }
const retire: HstsPolicy = { ...on, mode: 'retire', maxAgeSeconds: 0 }

/** A site whose config may change, day by day. */
class Site {
  memory: HstsMemory | undefined
  now = START
  readonly events: string[] = []

  look(policy: HstsPolicy | undefined, afterMs = 0, trouble?: string): string | undefined {
    this.now += afterMs
    const { memory, event } = advance('a.test', policy, this.memory, trouble, this.now)
    this.memory = memory
    if (event !== undefined) this.events.push(`${event.level} ${event.message}`)
    return policy && hstsField(policy, memory)
  }
}

test('a ramp goes from 5 minutes over a day to 60 days, and each step is told once', () => {
  const site = new Site()
  assert.equal(site.look(ramp), 'max-age=300')
  assert.equal(site.look(ramp, DAY - 1), 'max-age=300')
  assert.equal(site.look(ramp, 1), 'max-age=86400')
  assert.equal(site.look(ramp, 7 * DAY - 1), 'max-age=86400')
  assert.equal(site.look(ramp, 1), 'max-age=5184000')
  assert.equal(site.look(ramp, 300 * DAY), 'max-age=5184000')
  assert.deepEqual(site.events, [
    'info HSTS of a.test is on a ramp to 60 days, with a max-age of 5 minutes until 2026-11-25T12:00:00Z, and then of 24 hours if all is well.',
    'info HSTS of a.test is on a ramp to 60 days, with a max-age of 24 hours until 2026-12-02T12:00:00Z, and then of 60 days if all is well.',
    'info HSTS of a.test is at the top of its ramp, with a max-age of 60 days.',
  ])
})

test('trouble holds a ramp where it is, told once, and it stays there for the whole time after', () => {
  const site = new Site()
  site.look(ramp)
  assert.equal(site.look(ramp, DAY, 'renewing failed'), 'max-age=300')
  assert.equal(site.look(ramp, DAY, 'renewing failed again'), 'max-age=300')
  assert.equal(site.look(ramp, DAY), 'max-age=300', 'it is well again, and has a day to show it')
  assert.equal(site.look(ramp, DAY - 1), 'max-age=300')
  assert.equal(site.look(ramp, 1), 'max-age=86400')
  assert.deepEqual(
    site.events.map((event) => event.split(' ')[0]),
    ['info', 'warn', 'info', 'info'],
  )
  assert.match(site.events[1]!, /is held there: renewing failed\.$/)
})

test('who has reached the top is not brought down by trouble: browsers have been told', () => {
  const site = new Site()
  site.look(ramp)
  site.look(ramp, DAY)
  site.look(ramp, 7 * DAY)
  assert.equal(site.look(ramp, DAY, 'renewing failed'), 'max-age=5184000')
})

test('a ramp asks for browsers’ lists at its end only, and has no step above its own max-age', () => {
  const long: HstsPolicy = { mode: 'ramp', maxAgeSeconds: 31_536_000, includeSubdomains: true, preload: true }
  const site = new Site()
  assert.equal(site.look(long), 'max-age=300; includeSubDomains')
  site.look(long, DAY)
  assert.equal(site.look(long, 7 * DAY), 'max-age=31536000; includeSubDomains; preload')
  const short = new Site()
  assert.equal(short.look({ ...ramp, maxAgeSeconds: 600 }), 'max-age=300')
  assert.equal(short.look({ ...ramp, maxAgeSeconds: 600 }, DAY), 'max-age=600')
  assert.equal(new Site().look({ ...ramp, maxAgeSeconds: 60 }), 'max-age=60')
})

test('a clock that was ahead does not hold a ramp for ever', () => {
  const site = new Site()
  site.now += 300 * DAY
  site.look(ramp)
  site.now = START
  site.look(ramp)
  assert.equal(site.look(ramp, DAY), 'max-age=86400')
})

test('retired, browsers are told to forget, and it is safe when the last promise is over (RFC 6797 §6.1.1)', () => {
  const site = new Site()
  assert.equal(site.look(on), 'max-age=5184000')
  assert.equal(site.look(retire, 100 * DAY), 'max-age=0')
  const safeAt = new Date(START + 160 * DAY).toISOString().slice(0, 10)
  assert.match(site.events[0]!, new RegExp(`is being retired: .* have forgotten it at ${safeAt}.* Leave HTTPS up`))
  site.look(retire, 59 * DAY)
  assert.match(describeHsts(retire, site.memory, site.now), /^is being retired/)
  site.look(retire, DAY)
  assert.equal(describeHsts(retire, site.memory, site.now), 'is retired: no browser insists on HTTPS any more')
})

test('a ramp that is retired early is safe early, and what is not known counts as 60 days', () => {
  const early = new Site()
  early.look(ramp)
  early.look(retire, DAY / 2)
  assert.equal(early.memory?.promisedSeconds, 300)
  const unknown = new Site()
  unknown.look(retire)
  assert.equal(unknown.memory?.promisedSeconds, 5_184_000)
})

test('turned off, what browsers were told is remembered until they have forgotten it', () => {
  const site = new Site()
  site.look(on)
  assert.equal(site.look(undefined, DAY), undefined)
  site.look(undefined, 10 * DAY)
  const since = site.memory?.since
  site.look(retire, DAY)
  assert.equal(site.memory?.since, since, 'nobody was told it since')
  const off = new Site()
  off.look(on)
  off.look(undefined)
  off.look(undefined, 60 * DAY)
  assert.equal(off.memory, undefined)
  assert.equal(new Site().look(undefined), undefined)
})

test('from retired back to a ramp it begins anew, and the longest promise stays known', () => {
  const site = new Site()
  site.look(on)
  site.look(retire, DAY)
  assert.equal(site.look(ramp, DAY), 'max-age=300')
  assert.equal(site.memory?.promisedSeconds, 5_184_000)
})
