import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { RenewalInfo } from '../../../src/acme/renewal-info.ts'
import { DailyQuestions } from '../../../src/certificates/on-demand/daily-questions.ts'
import { readName } from '../../../src/certificates/on-demand/registry.ts'
import type { WantedCertificate } from '../../../src/certificates/wanted.ts'
import { FakeClock } from '../../fakes/fake-clock.ts'
import { seededRandom } from '../../fakes/seeded-random.ts'
import { DAY, HOUR, Premises } from './premises.ts'

/** A name whose certificate rests, and a CA that says when to renew it; gives the times at which that was asked. */
async function atRest(t: TestContext, renewalInfo: () => Promise<RenewalInfo | undefined>) {
  const it = new Premises()
  const asked: number[] = []
  it.ca.renewalInfo = async () => {
    asked.push(it.clock.now())
    return renewalInfo()
  }
  await it.start()
  t.after(() => it.stop())
  await it.want('a.test')
  await it.clock.advance(3 * HOUR)
  assert.deepEqual(it.serving, [])
  asked.length = 0
  return { it, asked }
}

const window = (start: number, end = start + HOUR): RenewalInfo => ({
  windowStart: start,
  windowEnd: end,
  retryAfterMs: undefined,
  explanationUrl: undefined,
})

test('of a name at rest the CA is asked about once a day when to renew it, and nothing comes into memory for that', async (t) => {
  const start = new FakeClock().now() + 55 * DAY
  const { it, asked } = await atRest(t, async () => window(start))
  await it.clock.advance(10 * DAY)
  assert.ok(asked.length >= 9 && asked.length <= 11, `${asked.length}`)
  assert.deepEqual([it.serving, it.ca.requests.length, it.onDemand.inUse], [[], 1, 0])
  assert.ok((await readName(it.storage, 'a.test'))!.dueAt <= start + HOUR)
})

test('revoked while nobody comes, as the CA lets know by a window in the past, it is replaced within a day', async (t) => {
  let start = 0
  let isRevoked = (): boolean => false
  const { it } = await atRest(t, async () => (isRevoked() ? window(start) : undefined))
  await it.clock.advance(2 * DAY)
  assert.equal(it.ca.requests.length, 1)
  start = it.clock.now() - 2 * HOUR
  isRevoked = () => it.ca.requests.length === 1
  await it.clock.advance(DAY + HOUR)
  await it.until(() => it.log.of('certificate-renewed').length === 1)
  assert.equal(it.ca.requests.length, 2)
  assert.notEqual(it.ca.requests[1]!.predecessor, undefined)
})

test('what nobody came for within keepFor is not asked about, nor what a CA says nothing of', async (t) => {
  const { it, asked } = await atRest(t, async () => undefined)
  await it.clock.advance(35 * DAY)
  const before = asked.length
  assert.ok(before >= 28 && before <= 32, `${before}`)
  await it.clock.advance(5 * DAY)
  assert.equal(asked.length, before)

  const silent = new Premises()
  await silent.start()
  t.after(() => silent.stop())
  await silent.want('a.test')
  await silent.clock.advance(3 * HOUR)
  const reads: string[] = []
  silent.storage.fails = (operation, key) => operation === 'get' && reads.push(key) < 0
  await silent.clock.advance(5 * DAY)
  assert.deepEqual(
    reads.filter((key) => key.includes('/certificates/')),
    [],
  )
})

test('a CA that is asked in vain leaves the name as it is', async (t) => {
  const { it, asked } = await atRest(t, () => Promise.reject(new Error('nobody answers')))
  const before = await readName(it.storage, 'a.test')
  await it.clock.advance(3 * DAY)
  assert.ok(asked.length >= 2)
  assert.equal((await readName(it.storage, 'a.test'))!.dueAt, before!.dueAt)
  assert.equal(it.ca.requests.length, 1)
})

const { signal } = new AbortController()

/** So many certificates of one part, asked about on a virtual clock; gives how many were asked about, and when. */
async function round(
  questions: DailyQuestions,
  clock: FakeClock,
  count: number,
  asked: number[],
): Promise<readonly number[]> {
  asked.length = 0
  const part = questions.begin('00')
  let isDone = false
  const all = (async () => {
    for (let index = 0; index < count; index++) await part.dueAt([{ id: `${index}` } as WantedCertificate], signal)
    isDone = true
  })()
  while (!isDone) {
    await new Promise((resolve) => setImmediate(resolve))
    if (clock.next !== undefined) await clock.advance(clock.next - clock.now())
  }
  await all
  return asked
}

test('questions come three a second at most and 800 in each part, of which the dice choose where there are more', async () => {
  const clock = new FakeClock()
  const asked: number[] = []
  const times: number[] = []
  const ask = async ({ id }: WantedCertificate) => {
    asked.push(Number(id))
    times.push(clock.now())
    return { dueAt: 1, isAnswered: true }
  }
  const questions = new DailyQuestions({ ask, clock, random: seededRandom(3) })
  assert.equal((await round(questions, clock, 2000, asked)).length, 800)
  for (const [index, time] of times.entries()) if (index > 0) assert.ok(time - times[index - 1]! >= 300)
  const second = await round(questions, clock, 2000, asked)
  assert.ok(second.length > 600 && second.length <= 800, `${second.length}`)
  assert.ok(second.filter((id) => id >= 1000).length > 250, 'those behind have their turn')
})

test('a CA that does not answer three times in a row is left alone until the next part', async () => {
  const clock = new FakeClock()
  const asked: number[] = []
  const ask = async ({ id }: WantedCertificate) => {
    asked.push(Number(id))
    return { dueAt: 1, isAnswered: false }
  }
  const questions = new DailyQuestions({ ask, clock, random: () => 0 })
  assert.equal((await round(questions, clock, 50, asked)).length, 3)
})

test('answers that take long end the round before the next part begins', async () => {
  const clock = new FakeClock()
  const asked: number[] = []
  const ask = async ({ id }: WantedCertificate) => {
    asked.push(Number(id))
    await clock.sleep(10_000)
    return { dueAt: 1, isAnswered: true }
  }
  const questions = new DailyQuestions({ ask, clock, random: () => 0 })
  assert.ok((await round(questions, clock, 100, asked)).length <= 30)
})
