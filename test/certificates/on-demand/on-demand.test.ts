import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { readName } from '../../../src/certificates/on-demand/registry.ts'
import { DAY, HOUR, MINUTE, Premises } from './premises.ts'

async function started(t: TestContext, settings?: Parameters<Premises['start']>[0]): Promise<Premises> {
  const it = new Premises()
  await it.start(settings)
  t.after(() => it.stop())
  return it
}

test('a thousand clients for one new name: one question, one order of each kind, and all are served', async (t) => {
  const it = await started(t, { keys: ['ecdsa-p256', 'rsa-2048'] })
  const answers = Promise.all(Array.from({ length: 1000 }, () => it.onDemand.want('a.test', '192.0.2.1')))
  await it.until(() => it.published.length > 0)
  assert.ok((await answers).every(({ type }) => type === 'served'))
  assert.deepEqual(it.asked, [['a.test', '192.0.2.1']])
  await it.until(() => it.serving.length === 2)
  assert.equal(it.ca.requests.length, 2)
  assert.equal(it.ca.requests[0]!.site, '*')
})

test('what the storage holds is served at once after a restart, and nobody is asked', async (t) => {
  const first = new Premises()
  await first.start()
  assert.equal(await first.typeOf('a.test'), 'served')
  await first.stop()
  const reads: string[] = []
  first.storage.fails = (operation, key) => operation === 'get' && reads.push(key) < 0
  await first.start()
  t.after(() => first.stop())
  assert.deepEqual(reads, [], 'a start reads nothing of what is on demand')
  assert.deepEqual(first.serving, [])
  assert.equal(await first.typeOf('a.test'), 'served')
  assert.deepEqual([first.asked.length, first.ca.requests.length], [1, 1])
  assert.deepEqual(first.serving, ['a.test'])
})

test('a refusal counts for as long as it says, or else for the time that is set; then it is asked again', async (t) => {
  const it = await started(t)
  it.answer = (name) => ({ status: 403, maxAgeMs: name === 'b.test' ? HOUR : undefined })
  for (const name of ['a.test', 'b.test']) assert.equal(await it.typeOf(name), 'denied')
  await it.clock.advance(10 * MINUTE - 1)
  const again = await it.want('a.test')
  assert.ok(again.type === 'denied' && again.forMs === 1)
  assert.equal(it.asked.length, 2)
  await it.clock.advance(1)
  it.answer = () => ({ status: 200, maxAgeMs: undefined })
  assert.equal(await it.typeOf('a.test'), 'served')
  assert.equal(await it.typeOf('b.test'), 'denied')
  assert.equal(it.ca.requests.length, 1)
})

test('nobody waits for longer than is set; the order goes on, and its end serves the next', async (t) => {
  const it = await started(t)
  const slow = Promise.withResolvers<void>()
  it.ca.before = () => slow.promise
  const answer = await it.want('a.test', '', 20_000)
  assert.ok(answer.type === 'unavailable' && /none after 20 s/.test(answer.reason))
  slow.resolve()
  await it.until(() => it.published.length > 0)
  assert.equal(await it.typeOf('a.test'), 'served')
  assert.deepEqual([it.asked.length, it.ca.requests.length], [1, 1])
})

test('names that wait for hours for a slow CA, in the queue too, come to their end', async (t) => {
  const it = await started(t)
  const slow = Promise.withResolvers<void>()
  it.ca.before = () => slow.promise
  const names = Array.from({ length: 8 }, (_, index) => `x${index}.test`)
  for (const name of names) void it.onDemand.want(name, '')
  await it.until(() => it.ca.requests.length === 5)
  await it.clock.advance(3 * HOUR)
  assert.equal(it.ca.requests.length, 5)
  slow.resolve()
  await it.until(() => it.published.length === 8)
  assert.deepEqual(it.serving.toSorted(), names)
})

test('a failed order is refused at once until its next try, by any client, over a restart; nothing is kept in memory', async (t) => {
  const it = new Premises()
  await it.start()
  t.after(() => it.stop())
  it.ca.fail('too many orders')
  const answer = await it.want('a.test')
  assert.ok(answer.type === 'unavailable' && /too many orders/.test(answer.reason))
  assert.equal(answer.forMs, MINUTE)
  assert.equal(it.onDemand.inUse, 0)
  await it.stop()
  await it.start()
  const again = await it.want('a.test', '192.0.2.2')
  assert.ok(again.type === 'unavailable' && again.forMs === MINUTE)
  assert.deepEqual([it.asked.length, it.ca.requests.length], [1, 1])
  await it.clock.advance(HOUR)
  assert.equal(it.ca.requests.length, 1, 'nobody came')
  assert.match(JSON.stringify(await it.want('a.test')), /too many orders/)
  await it.clock.advance(10 * MINUTE - 1)
  assert.equal(await it.typeOf('a.test'), 'unavailable')
  await it.clock.advance(1)
  it.ca.recover()
  assert.equal(await it.typeOf('a.test'), 'served')
  assert.deepEqual([it.asked.length, it.ca.requests.length], [3, 3])
})

test('a name that a look before the order shows to be hopeless is looked at again in five minutes', async (t) => {
  const it = await started(t)
  it.ca.before = async () => {
    throw Object.assign(new Error('a.test leads nowhere'), { isForesight: true })
  }
  const answer = await it.want('a.test')
  assert.ok(answer.type === 'unavailable' && /leads nowhere/.test(answer.reason) && answer.forMs === 5 * MINUTE)
  await it.clock.advance(5 * MINUTE)
  it.ca.recover()
  assert.equal(await it.typeOf('a.test'), 'served')
})

test('invented names beyond what a client may come with: neither questions nor orders; what is there is served', async (t) => {
  const it = await started(t, { limits: { namesPerAddress: 3 } })
  assert.equal(await it.typeOf('good.test', '198.51.100.1'), 'served')
  it.answer = () => ({ status: 404, maxAgeMs: undefined })
  const types = []
  for (let index = 0; index < 50; index++) types.push((await it.want(`x${index}.test`, '2001:db8::1')).type)
  assert.deepEqual([...types.slice(0, 4)], ['denied', 'denied', 'denied', 'unavailable'])
  const answer = await it.want('y.test', '2001:db8::ffff:1')
  assert.ok(answer.type === 'unavailable' && answer.ofAddress && answer.forMs <= 10_000)
  assert.equal(it.asked.length, 4)
  assert.equal(await it.typeOf('good.test', '2001:db8::1'), 'served')
  assert.equal(await it.typeOf('y.test', '2001:db8:0:1::1'), 'denied')
  assert.equal(it.log.of('on-demand-limit').length, 1)
  await it.clock.advance(HOUR)
  assert.equal(await it.typeOf('y2.test', '2001:db8::1'), 'denied')
})

test('questions and names have limits in all, and names one for each registered domain', async (t) => {
  const it = await started(t, { limits: { names: 3, namesPerDomain: 2, questions: 5 } })
  const reasonOf = async (name: string): Promise<string> => {
    const answer = await it.want(name)
    return answer.type === 'served' ? answer.type : answer.reason
  }
  assert.equal(await reasonOf('a.shop.co.uk'), 'served')
  assert.equal(await reasonOf('b.shop.co.uk'), 'served')
  assert.match(await reasonOf('c.shop.co.uk'), /namesPerDomain \(2\) is reached/)
  it.answer = () => ({ status: 403, maxAgeMs: undefined })
  for (const name of ['d.test', 'e.test', 'f.test']) assert.equal(await reasonOf(name), 'ask said 403')
  assert.match(await reasonOf('g.test'), /questions \(5\) is reached/)
  await it.clock.advance(HOUR)
  it.answer = () => ({ status: 200, maxAgeMs: undefined })
  for (const name of ['h.test', 'i.test', 'j.test']) assert.equal(await reasonOf(name), 'served')
  assert.match(await reasonOf('k.test'), /names \(3\) is reached/)
  assert.equal(it.ca.requests.length, 5)
})

test('beyond so many names that are being ordered, others are refused at once and nobody is asked', async (t) => {
  const it = await started(t, { waiting: 2 })
  it.ca.before = (_, signal) =>
    new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  const waiting = [it.onDemand.want('a.test', ''), it.onDemand.want('b.test', '')]
  await it.until(() => it.ca.requests.length === 2)
  assert.match(JSON.stringify(await it.want('c.test')), /too many names are being ordered/)
  assert.equal(it.asked.length, 2)
  await it.stop()
  for (const answer of waiting) assert.match(JSON.stringify(await answer), /the program stops/)
  await it.start()
})

test('names that no CA could certify are refused without a question', async (t) => {
  const it = await started(t, { issuersFor: (name) => (name.endsWith('.internal') ? [] : ['ca']) })
  for (const name of ['co.uk', 'printer.internal', 'a_b.test', '-a.test', `${'a.'.repeat(130)}test`])
    assert.equal(await it.typeOf(name), 'denied', name)
  assert.deepEqual(it.asked, [])
})

test('a name that nobody comes for leaves the memory after two hours, and is loaded when somebody does', async (t) => {
  const it = await started(t)
  for (const name of ['a.test', 'b.test']) await it.want(name)
  await it.clock.advance(HOUR + 30 * MINUTE)
  it.onDemand.seen(['a.test', 'unknown.test'])
  await it.clock.advance(HOUR)
  assert.deepEqual(it.serving, ['a.test'])
  assert.equal(await it.typeOf('b.test'), 'served')
  assert.deepEqual(it.serving.toSorted(), ['a.test', 'b.test'])
  assert.equal(it.asked.length, 2)
})

test('when it was last seen is written once a day', async (t) => {
  const it = await started(t)
  await it.want('a.test')
  const puts = it.storage.puts.length
  for (let hour = 0; hour < 49; hour++) {
    it.onDemand.seen(['a.test'])
    await it.clock.advance(HOUR)
  }
  const names = it.storage.puts.slice(puts).filter((key) => key.startsWith('on-demand/names/'))
  assert.equal(names.length, 2)
  const record = await readName(it.storage, 'a.test')
  assert.equal(record!.seenAt - record!.admittedAt, 2 * DAY)
})

/** A name that is in use at the time at which its certificate is due, and what its clients were told on the way. */
async function usedUntilDue(t: TestContext, answer?: Premises['answer']) {
  const it = await started(t)
  await it.want('a.test')
  if (answer !== undefined) it.answer = answer
  await it.clock.advance(25 * DAY)
  const { dueAt, notAfter } = (await readName(it.storage, 'a.test'))!
  assert.equal(await it.typeOf('a.test'), 'served')
  for (; it.clock.now() < dueAt + HOUR; await it.clock.advance(HOUR)) it.onDemand.seen(['a.test'])
  return { it, notAfter }
}

test('in use it is renewed like any other, after the question whether it still may', async (t) => {
  const { it, notAfter } = await usedUntilDue(t)
  assert.equal(it.ca.requests.length, 2)
  assert.deepEqual(it.asked.slice(1), [['a.test', undefined]])
  await it.until(() => it.log.of('certificate-renewed').length === 1)
  await it.clock.advance(3 * HOUR)
  assert.ok((await readName(it.storage, 'a.test'))!.notAfter > notAfter)
})

test('nobody answers that question: it is renewed all the same', async (t) => {
  const { it } = await usedUntilDue(t, () => Promise.reject(new Error('refused')))
  assert.equal(it.ca.requests.length, 2)
  assert.equal(it.log.of('on-demand-ask-failed').length, 1)
})

test('the answer is no: it is not renewed, leaves the memory, and a client that comes is refused', async (t) => {
  const { it } = await usedUntilDue(t, () => ({ status: 404, maxAgeMs: undefined }))
  assert.equal(it.ca.requests.length, 1)
  assert.deepEqual(it.serving, [])
  assert.equal(it.log.of('on-demand-withdrawn').length, 1)
  assert.equal(await it.typeOf('a.test'), 'denied')
  it.answer = () => ({ status: 200, maxAgeMs: undefined })
  await it.clock.advance(10 * MINUTE)
  assert.equal(await it.typeOf('a.test'), 'served')
})

test('at rest it is renewed if somebody came lately, within a day of its time', async (t) => {
  const it = await started(t)
  await it.want('a.test')
  await it.clock.advance(35 * DAY)
  assert.equal(await it.typeOf('a.test'), 'served')
  await it.clock.advance(3 * HOUR)
  const before = (await readName(it.storage, 'a.test'))!
  await it.clock.advance(before.dueAt - it.clock.now() - HOUR)
  assert.deepEqual([it.serving, it.ca.requests.length], [[], 1])
  await it.clock.advance(DAY + HOUR)
  await it.until(() => it.log.of('certificate-renewed').length === 1)
  assert.equal(it.ca.requests.length, 2)
  await it.until(() => it.log.of('certificate-renewed').length === 1)
  await it.clock.advance(3 * HOUR)
  assert.deepEqual(it.serving, [])
  const after = (await readName(it.storage, 'a.test'))!
  assert.ok(after.dueAt > it.clock.now() + 50 * DAY)
  assert.equal(after.seenAt, before.seenAt)
})

test('nobody comes any more: it is not renewed, and archived when it has ended', async (t) => {
  const it = await started(t)
  await it.want('a.test')
  await it.want('b.test')
  await it.clock.advance(89 * DAY)
  assert.equal(it.ca.requests.length, 2)
  assert.equal((await it.storage.list('on-demand/certificates')).length, 2)
  assert.equal(await it.typeOf('b.test'), 'served')
  await it.until(() => it.log.of('certificate-renewed').length === 1)
  assert.equal(it.ca.requests.length, 3)
  await it.clock.advance(3 * DAY)
  assert.deepEqual(
    it.log.of('on-demand-archived').map(({ facts }) => facts.name),
    ['a.test'],
  )
  assert.equal((await it.storage.list('on-demand/certificates')).length, 1)
  assert.equal((await it.storage.list('archive')).length, 1)
  assert.equal(await readName(it.storage, 'a.test'), undefined)
  assert.equal(await it.typeOf('a.test'), 'served')
  assert.equal(it.asked.filter(([name]) => name === 'a.test').length, 2)
})

test('what is damaged is asked about and ordered anew; a storage that fails costs a client, not the program', async (t) => {
  const it = new Premises()
  await it.start()
  t.after(() => it.stop())
  await it.want('a.test')
  await it.stop()
  const [record] = await it.storage.list('on-demand/names')
  const [certificate] = await it.storage.list('on-demand/certificates')
  await it.storage.put(certificate!, Buffer.from('{'))
  await it.start()
  assert.equal(await it.typeOf('a.test'), 'served')
  assert.equal(it.ca.requests.length, 2)
  await it.stop()
  await it.storage.put(record!, Buffer.from('{'))
  await it.start()
  assert.equal(await it.typeOf('a.test'), 'served')
  assert.equal(it.ca.requests.length, 2, 'the certificate was there')
  it.storage.fails = () => true
  assert.equal(await it.typeOf('b.test'), 'unavailable')
  assert.equal(it.log.of('on-demand-failed').length, 1)
  it.storage.fails = (operation) => operation === 'put'
  assert.equal(await it.typeOf('c.test'), 'served')
  it.storage.fails = () => false
})

test('of a name that has left the memory nothing is planned, though its CA then says that it is to be renewed', async (t) => {
  const it = await started(t)
  const gate = Promise.withResolvers<void>()
  let asked = 0
  it.ca.renewalInfo = async () => {
    const isFirst = ++asked === 1
    if (isFirst) await gate.promise
    // What is asked while the name is at rest is answered otherwise.
    const [windowStart, windowEnd] = isFirst ? [0, 1] : [it.clock.now() + 20 * DAY, it.clock.now() + 21 * DAY]
    return { windowStart, windowEnd, explanationUrl: undefined, retryAfterMs: undefined }
  }
  await it.want('a.test')
  await it.until(() => asked === 1)
  await it.clock.advance(3 * HOUR)
  assert.equal(it.onDemand.inUse, 0)
  gate.resolve()
  await it.until(() => it.log.of('renewal-suggested').length > 0)
  await it.clock.advance(DAY)
  assert.equal(it.ca.requests.length, 1)
  assert.equal(await it.typeOf('a.test'), 'served')
})
