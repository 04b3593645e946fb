import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { NameAnswer, OnDemandSnapshot } from '../../../src/edge/snapshot.ts'
import { OnDemandNames, type Question } from '../../../src/edge/tls/on-demand-names.ts'

const denied: NameAnswer = { type: 'denied', reason: 'ask said 403', forMs: 1_000 }

/** Names whose questions are answered when a test says so, at a time that stands still. */
function subject(settings: Partial<OnDemandSnapshot> = {}) {
  const open: { readonly name: string; readonly address: string; answer(answer: NameAnswer): void }[] = []
  const told: string[][] = []
  const time = { now: 0 }
  const names = new OnDemandNames({
    settings: { allow: undefined, waitMs: 20_000, waiting: 3, ...settings },
    isListed: (name) => name === 'listed.test',
    askForName: (name, address) => new Promise((answer) => open.push({ name, address, answer })),
    tellSeen: (seen) => told.push([...seen]),
    now: () => time.now,
  })
  return { names, open, told, time }
}

function question(asked: ReturnType<OnDemandNames['ask']>): Question {
  assert.ok('leave' in asked, JSON.stringify(asked))
  return asked
}

test('names that a site lists, addresses and single labels are none', () => {
  const { names } = subject()
  for (const name of ['listed.test', '192.0.2.1', '2001:db8::1', 'localhost', 'a_b.test', '.test', 'a.1'])
    assert.equal(names.isOne(name), false, name)
  for (const name of ['a.test', 'a.b.xn--p1ai', '1.test']) assert.equal(names.isOne(name), true, name)
})

test('with a list and nobody to ask, only what is on it is worth a question', () => {
  const { names } = subject({ allow: ['*.c.test', 'd.test'] })
  for (const name of ['a.c.test', 'd.test']) assert.equal(names.isOne(name), true, name)
  for (const name of ['a.b.c.test', 'c.test', 'a.d.test', 'e.test']) assert.equal(names.isOne(name), false, name)
})

test('however many handshakes wait for a name, it is asked about once', async () => {
  const { names, open } = subject()
  const questions = [1, 2, 3].map(() => question(names.ask('a.test', '192.0.2.1')))
  assert.deepEqual(
    open.map(({ name, address }) => [name, address]),
    [['a.test', '192.0.2.1']],
  )
  open[0]!.answer({ type: 'served' })
  for (const { answer } of questions) assert.deepEqual(await answer, { type: 'served' })
})

test('beyond so many handshakes others are refused at once, until one waits no longer', () => {
  const { names, open } = subject()
  const [first] = ['a.test', 'b.test', 'a.test'].map((name) => question(names.ask(name, '')))
  const refused = names.ask('a.test', '')
  assert.ok('type' in refused && refused.type === 'unavailable')
  first!.leave()
  first!.leave()
  question(names.ask('a.test', ''))
  assert.ok('type' in names.ask('a.test', ''), 'leaving twice makes room once')
  assert.equal(open.length, 2)
})

test('clients that leave at once leave no more questions behind than may wait', () => {
  const { names, open } = subject()
  for (let index = 0; index < 100; index++) {
    const asked = names.ask(`x${index}.test`, '')
    if ('leave' in asked) asked.leave()
  }
  assert.equal(open.length, 3)
})

test('a refusal counts for as long as it says, and nobody is asked meanwhile', async () => {
  const { names, open, time } = subject()
  const { answer, leave } = question(names.ask('a.test', ''))
  open[0]!.answer(denied)
  assert.deepEqual(await answer, denied)
  leave()
  time.now = 999
  assert.deepEqual(names.ask('a.test', ''), denied)
  question(names.ask('b.test', ''))
  time.now = 1_000
  question(names.ask('a.test', ''))
  assert.deepEqual(
    open.map(({ name }) => name),
    ['a.test', 'b.test', 'a.test'],
  )
})

test("a refusal because of the client's address is for all that it asks for, and for nobody else", async () => {
  const { names, open } = subject()
  const { answer } = question(names.ask('a.test', '192.0.2.1'))
  open[0]!.answer({ type: 'unavailable', reason: 'enough', forMs: 1_000, ofAddress: true })
  await answer
  assert.ok('type' in names.ask('b.test', '192.0.2.1'))
  question(names.ask('a.test', '192.0.2.2'))
})

test('what is seen is told in bunches, each name twice an hour at most, and none that a site lists', () => {
  const { names, told, time } = subject()
  for (const name of ['a.test', 'a.test', 'listed.test', 'b.test', '192.0.2.1']) names.seen(name)
  names.sweep(0)
  names.sweep(1)
  assert.deepEqual(told, [['a.test', 'b.test']])
  time.now = 29 * 60_000
  names.seen('a.test')
  names.sweep(time.now)
  assert.equal(told.length, 1)
  time.now = 30 * 60_000
  names.seen('a.test')
  names.sweep(time.now)
  assert.deepEqual(told[1], ['a.test'])
})
