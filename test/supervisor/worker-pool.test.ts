import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import type { ChallengeAnswer } from '../../src/challenges/challenge.ts'
import type { FromWorker, StartMessage, ToWorker } from '../../src/supervisor/messages.ts'
import { WorkerPool, WorkerStartError } from '../../src/supervisor/worker-pool.ts'
import type { WorkerProcess } from '../../src/supervisor/worker-process.ts'
import { spawnWorker } from '../../src/supervisor/worker-process.ts'
import { until } from '../edge/http1/peer.ts'
import { plainSnapshot } from '../edge/serve.ts'
import { FakeClock } from '../fakes/fake-clock.ts'
import { RecordingLog } from '../fakes/recording-log.ts'

class FakeWorker implements WorkerProcess {
  readonly pid: number
  readonly received: ToWorker[] = []
  isKilled = false
  hangs = false
  #onMessage: (message: FromWorker) => void = () => {}
  #onExit: (cause: string) => void = () => {}

  constructor(pid: number) {
    this.pid = pid
  }
  send(message: ToWorker): void {
    this.received.push(message)
    if (message.type === 'heartbeat' && !this.hangs) this.say({ type: 'alive' })
  }
  onMessage(listener: (message: FromWorker) => void): void {
    this.#onMessage = listener
  }
  onExit(listener: (cause: string) => void): void {
    this.#onExit = listener
  }
  kill(): void {
    this.isKilled = true
    this.exit('signal SIGKILL')
  }
  say(message: FromWorker): void {
    this.#onMessage(message)
  }
  exit(cause: string): void {
    this.#onExit(cause)
  }
  of<T extends ToWorker['type']>(type: T): Extract<ToWorker, { type: T }>[] {
    return this.received.filter((message): message is Extract<ToWorker, { type: T }> => message.type === type)
  }
}

const material = { chain: 'chain', privateKey: 'key', staple: undefined }
function* startMessages(challenges: StartMessage['challenges']): Generator<ToWorker> {
  yield {
    type: 'start',
    listeners: [],
    snapshot: plainSnapshot,
    challenges,
    ticketSecrets: ['c2VjcmV0'],
    log: { level: 'info', format: 'json' },
    accessLog: { file: undefined, format: 'json' },
    drainMs: 10_000,
  }
  yield { type: 'listen' }
}

function findMaterial(certificate: string): typeof material | undefined {
  return certificate === 'held' ? material : undefined
}

/** The pool's own, while it runs. */
const HEARTBEATS = 1

/** Of a pool whose workers ask for no names. */
const noNames = {
  nameWanted: async (name: string) => assert.fail(`${name} is asked for`),
  namesSeen: () => {},
}

function startPool(count: number) {
  const workers: FakeWorker[] = []
  const clock = new FakeClock()
  const log = new RecordingLog()
  const seen: string[] = []
  const pool = new WorkerPool({
    count,
    clock,
    log,
    spawn: () => {
      const worker = new FakeWorker(100 + workers.length)
      workers.push(worker)
      return worker
    },
    startMessages,
    material: findMaterial,
    nameWanted: async (name, address) => ({ type: 'denied', reason: `${name} for ${address}`, forMs: 1 }),
    namesSeen: (names) => seen.push(...names),
  })
  const asked = new AbortController()
  const started = pool.start(asked.signal)
  return { pool, workers, clock, log, started, asked, seen }
}

const answer: ChallengeAnswer = { type: 'http-01', name: 'a.test', token: 't', keyAuthorization: 't.k' }

async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false
  promise.then(
    () => {
      settled = true
    },
    () => {
      settled = true
    },
  )
  await new Promise((resolve) => setImmediate(resolve))
  return settled
}

test('has started when every worker accepts connections', async () => {
  const { workers, started } = startPool(2)
  workers[0]!.say({ type: 'ready' })
  assert.equal(await isSettled(started), false)
  workers[1]!.say({ type: 'ready' })
  await started
})

test('while nobody serves, the next worker starts within a second, however many have crashed', async () => {
  const { workers, clock } = startPool(1)
  for (let crash = 0; crash < 10; crash++) {
    const count: number = workers.length
    workers.at(-1)!.exit('exit code 1')
    await clock.advance(1_000)
    assert.equal(workers.length, count + 1)
  }
})

test('a worker that takes the place of another is not counted twice', async () => {
  const { workers, started, clock } = startPool(2)
  workers[0]!.say({ type: 'ready' })
  workers[0]!.exit('signal SIGSEGV')
  await clock.advance(0)
  workers[2]!.say({ type: 'ready' })
  assert.equal(await isSettled(started), false)
  workers[1]!.say({ type: 'ready' })
  await started
})

test('whoever asks to stop need not wait for workers that never come to accept', async () => {
  const { pool, workers, started, clock, asked } = startPool(1)
  for (let crash = 0; crash < 5; crash++) {
    workers.at(-1)!.exit('exit code 1')
    await clock.advance(30_000)
  }
  assert.equal(await isSettled(started), false)
  const enough = new Error('enough')
  asked.abort(enough)
  await assert.rejects(started, (error) => error === enough)
  const stopped = pool.stop(10_000)
  workers.at(-1)!.exit('exit code 0')
  await stopped
  assert.equal(workers.length, 6)
})

test('a worker that cannot listen ends the start with its reason', async () => {
  const { workers, started } = startPool(1)
  workers[0]!.say({ type: 'listen-failed', address: ':443', message: 'cannot listen on :443: in use' })
  await assert.rejects(started, (error) => error instanceof WorkerStartError && /:443/.test(error.message))
})

test('a worker that crashes is replaced at once, and then with a back-off that doubles up to 30 s', async () => {
  const { workers, clock, log } = startPool(2)
  workers[0]!.exit('signal SIGSEGV')
  await clock.advance(0)
  assert.equal(workers.length, 3)
  const waits: number[] = []
  for (let crash = 0; crash < 7; crash++) {
    workers.at(-1)!.exit('exit code 1')
    const before = clock.now()
    const count: number = workers.length
    while (workers.length === count) await clock.advance(500)
    waits.push(clock.now() - before)
  }
  assert.deepEqual(waits, [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000])
  assert.match(log.of('worker-exited')[0]!.message, /signal SIGSEGV/)
})

test('a worker that had served for a minute is replaced at once again', async () => {
  const { workers, clock } = startPool(1)
  workers[0]!.exit('exit code 1')
  await clock.advance(0)
  await clock.advance(61_000)
  workers[1]!.exit('exit code 1')
  await clock.advance(0)
  assert.equal(workers.length, 3)
})

test('a challenge is published when every worker has it', async () => {
  const { pool, workers } = startPool(2)
  for (const worker of workers) worker.say({ type: 'ready' })
  const published = pool.publish(answer)
  await isSettled(published)
  const [first, second] = workers.map((worker) => worker.of('publish-challenge')[0]!)
  workers[0]!.say({ type: 'done', id: first!.id })
  assert.equal(await isSettled(published), false)
  workers[1]!.say({ type: 'done', id: second!.id })
  await published
})

test('nothing is published before every worker accepts connections', async () => {
  const { pool, workers } = startPool(1)
  const published = pool.publish(answer)
  assert.equal(await isSettled(published), false)
  assert.equal(workers[0]!.of('publish-challenge').length, 0)
  workers[0]!.say({ type: 'ready' })
  await isSettled(published)
  workers[0]!.say({ type: 'done', id: workers[0]!.of('publish-challenge')[0]!.id })
  await published
})

test('a worker that dies is not waited for, and its successor starts with the pending challenges', async () => {
  const { pool, workers, clock } = startPool(2)
  for (const worker of workers) worker.say({ type: 'ready' })
  const published = pool.publish(answer)
  await isSettled(published)
  workers[1]!.say({ type: 'done', id: workers[1]!.of('publish-challenge')[0]!.id })
  workers[0]!.exit('signal SIGKILL')
  await published
  await clock.advance(0)
  assert.deepEqual(workers[2]!.of('start')[0]!.challenges, [{ type: 'http-01', token: 't', keyAuthorization: 't.k' }])
})

test('a worker that hangs is waited for five seconds, and named; the others have the challenge, and forget it', async () => {
  const { pool, workers, clock, log } = startPool(2)
  for (const worker of workers) worker.say({ type: 'ready' })
  for (const [index, [ask, type]] of (
    [
      ['publish', 'publish-challenge'],
      ['withdraw', 'withdraw-challenge'],
    ] as const
  ).entries()) {
    const asked: Promise<void> = pool[ask](answer)
    await isSettled(asked)
    workers[0]!.say({ type: 'done', id: workers[0]!.of(type)[0]!.id })
    await clock.advance(4_999)
    assert.equal(await isSettled(asked), false)
    await clock.advance(1)
    await asked
    assert.equal(log.of('worker-silent').length, index + 1)
    assert.match(log.of('worker-silent')[index]!.message, /^Worker 101 has not answered/)
    assert.equal(clock.sleeping, HEARTBEATS)
    // It comes to after all.
    workers[1]!.say({ type: 'done', id: workers[1]!.of(type)[0]!.id })
  }
})

test('workers that answer, or die, leave no timer behind and no warning', async () => {
  const { pool, workers, clock, log } = startPool(2)
  for (const worker of workers) worker.say({ type: 'ready' })
  const withdrawn = pool.withdraw(answer)
  workers[0]!.say({ type: 'done', id: workers[0]!.of('withdraw-challenge')[0]!.id })
  workers[1]!.exit('signal SIGKILL')
  await withdrawn
  await clock.advance(60_000)
  assert.equal(clock.sleeping, HEARTBEATS)
  assert.equal(log.of('worker-silent').length, 0)
})

test('a worker that hangs is named, ended and replaced; the others are not', async () => {
  const { workers, clock, log } = startPool(2)
  for (const worker of workers) worker.say({ type: 'ready' })
  workers[1]!.hangs = true
  await clock.advance(30_000)
  assert.deepEqual(
    workers.map((worker) => worker.isKilled),
    [false, true, false],
  )
  assert.match(log.of('worker-hung')[0]!.message, /^Worker 101 hangs: it has not answered for 15 s/)
  assert.equal(log.of('worker-exited').length, 1)
})

test('workers that hang one after the other are replaced with the back-off of those that crash', async () => {
  const { workers, clock } = startPool(1)
  const starts: number[] = []
  while (starts.length < 4) {
    const worker = workers.at(-1)!
    worker.say({ type: 'ready' })
    worker.hangs = true
    while (!worker.isKilled) await clock.advance(1_000)
    const killedAt = clock.now()
    while (workers.at(-1) === worker) await clock.advance(100)
    starts.push(clock.now() - killedAt)
  }
  // At once, and then within a second: nobody else serves.
  assert.deepEqual(starts, [0, 1_000, 1_000, 1_000])
})

test('when all were stopped for an hour, no worker is ended', async () => {
  const { workers, clock, log } = startPool(2)
  for (const worker of workers) {
    worker.say({ type: 'ready' })
    worker.hangs = true
  }
  await clock.advance(10_000)
  clock.oversleep(3_600_000)
  await clock.advance(0)
  for (const worker of workers) worker.hangs = false
  await clock.advance(60_000)
  assert.equal(workers.length, 2)
  assert.deepEqual(log.of('worker-hung'), [])
})

test('a real process in an endless loop is ended and replaced by one that answers', async () => {
  const clock = new FakeClock()
  const log = new RecordingLog()
  const workers: WorkerProcess[] = []
  const program = join(import.meta.dirname, 'worker-that-hangs.ts')
  let heard: string[] = []
  const spawn = (): WorkerProcess => {
    const worker = spawnWorker(program, [])
    worker.onMessage(({ type }) => heard.push(`${worker.pid} ${type}`))
    workers.push(worker)
    return worker
  }
  const pool = new WorkerPool({ count: 1, clock, log, spawn, startMessages, material: findMaterial, ...noNames })
  await pool.start(new AbortController().signal)
  const [first] = workers
  await clock.advance(5_000)
  await until(() => heard.includes(`${first!.pid} alive`))
  const exit = new Promise<string>((resolve) => first!.onExit(resolve))
  pool.changeTicketSecrets(['c2VjcmV0'])
  await clock.advance(20_000)
  assert.equal(await exit, 'signal SIGKILL')
  assert.equal(log.of('worker-hung').length, 1)
  await clock.advance(0)
  heard = []
  await clock.advance(5_000)
  await until(() => heard.includes(`${workers[1]!.pid} alive`))
  await pool.stop(10_000)
  assert.equal(workers.length, 2)
})

test('a worker that is asked to end is succeeded at once, and its end is no crash', async () => {
  const { workers, clock, log } = startPool(1)
  workers[0]!.say({ type: 'ready' })
  workers[0]!.say({ type: 'draining' })
  workers[0]!.say({ type: 'draining' })
  await clock.advance(200)
  assert.equal(workers.length, 2)
  assert.equal(log.of('worker-draining').length, 1)
  workers[0]!.exit('exit code 0')
  await clock.advance(60_000)
  assert.equal(workers.length, 2)
  assert.deepEqual(log.of('worker-exited'), [])
})

test('workers that get the signal that ends the program are not replaced', async () => {
  const { pool, workers, clock } = startPool(1)
  workers[0]!.say({ type: 'draining' })
  const stopped = pool.stop(10_000)
  await clock.advance(300)
  assert.equal(workers.length, 1)
  workers[0]!.exit('exit code 0')
  await stopped
})

test('stopping drains the workers, replaces none, and is over when the last has gone', async () => {
  const { pool, workers, clock } = startPool(2)
  const stopped = pool.stop(10_000)
  assert.deepEqual(
    workers.map((worker) => worker.of('drain').length),
    [1, 1],
  )
  workers[0]!.exit('exit code 0')
  assert.equal(await isSettled(stopped), false)
  workers[1]!.exit('exit code 0')
  await stopped
  await clock.advance(60_000)
  assert.equal(workers.length, 2)
  assert.equal(clock.sleeping, 0)
})

/** A pool of two that serves, and is asked to start two others. */
async function startRenewal() {
  const started = startPool(2)
  const { pool, workers } = started
  for (const worker of workers) worker.say({ type: 'ready' })
  const spawn = (): FakeWorker => {
    const worker = new FakeWorker(100 + workers.length)
    workers.push(worker)
    return worker
  }
  const renew = (count = 2): Promise<void> =>
    pool.renew({ count, spawn, startMessages }, 60_000, new AbortController().signal)
  return { ...started, renew }
}

test('workers are succeeded once all of the new accept, and not before', async () => {
  const { pool, workers, clock, renew } = await startRenewal()
  const renewed = renew()
  workers[2]!.say({ type: 'ready' })
  assert.equal(await isSettled(renewed), false)
  assert.deepEqual(workers[0]!.of('drain'), [])
  workers[3]!.say({ type: 'ready' })
  await renewed
  for (const former of workers.slice(0, 2))
    assert.deepEqual(former.of('drain'), [{ type: 'drain', withinMs: 60_000, gently: true }])
  workers[0]!.exit('exit code 0')
  await clock.advance(30_000)
  assert.equal(workers[1]!.isKilled, false)
  await clock.advance(32_000)
  assert.equal(workers[1]!.isKilled, true)
  assert.equal(workers.length, 4)
  workers[2]!.exit('signal SIGSEGV')
  await clock.advance(0)
  assert.equal(workers.length, 5)
  const stopped = pool.stop(0)
  for (const worker of workers.slice(3)) worker.exit('exit code 0')
  await stopped
})

test('what is known of upstreams goes to those who serve or start, each with how many they are, not to the former', async () => {
  const { pool, workers, renew } = await startRenewal()
  const knowledge = { cookieKey: '', down: ['one'], drained: [], addresses: {} }
  const toldTo = (): number[][] =>
    workers.map((worker) => worker.of('upstreams').map(({ conditions }) => conditions.workers))
  const renewed = renew(3)
  pool.changeUpstreams(knowledge)
  assert.deepEqual(toldTo(), [[2], [2], [3], [3], [3]])
  assert.deepEqual(workers[2]!.of('upstreams')[0]!.conditions, { ...knowledge, workers: 3 })
  for (const worker of workers.slice(2)) worker.say({ type: 'ready' })
  await renewed
  pool.changeUpstreams(knowledge)
  assert.deepEqual(toldTo(), [[2], [2], [3, 3], [3, 3], [3, 3]])
})

test('if one of the new ends before it serves, or cannot listen, the former go on and no other is left', async () => {
  for (const fault of ['ends', 'cannot listen']) {
    const { pool, workers, clock, log, renew } = await startRenewal()
    const renewed = assert.rejects(renew(), WorkerStartError)
    if (fault === 'ends') workers[2]!.exit('exit code 1')
    else workers[2]!.say({ type: 'listen-failed', address: ':80', message: 'no' })
    await renewed
    assert.equal(workers[3]!.isKilled, true)
    assert.deepEqual(workers[0]!.of('drain'), [])
    // A worker that serves is replaced by one of its own kind.
    workers[0]!.exit('signal SIGKILL')
    await clock.advance(120_000)
    assert.equal(workers.length, 5)
    assert.equal(log.of('worker-exited').length, 1)
    pool.kill()
  }
})

test('of those that finish what they have no more than eight configs are kept', async () => {
  const { pool, workers, log, renew } = await startRenewal()
  for (let reload = 0; reload < 9; reload++) {
    const renewed = renew()
    for (const worker of workers.slice(-2)) worker.say({ type: 'ready' })
    await renewed
  }
  const [eldest, second] = [workers[0]!, workers[2]!]
  assert.deepEqual(eldest.of('drain').at(-1), { type: 'drain', withinMs: 0, gently: false })
  assert.equal(second.of('drain').length, 1)
  assert.equal(log.of('workers-given-up').length, 1)
  pool.kill()
})

test('a worker that does not drain in time is killed', async () => {
  const { pool, workers, clock } = startPool(1)
  const stopped = pool.stop(10_000)
  await clock.advance(11_000)
  assert.equal(workers[0]!.isKilled, false)
  await clock.advance(2_000)
  assert.equal(workers[0]!.isKilled, true)
  await stopped
})

test('a worker that crashed while waiting for its successor leaves none behind after a stop', async () => {
  const { pool, workers, clock } = startPool(1)
  workers[0]!.exit('exit code 1')
  await clock.advance(0)
  workers[1]!.exit('exit code 1')
  await pool.stop(10_000)
  await clock.advance(60_000)
  assert.equal(workers.length, 2)
})

test('a worker that wants what it takes to show a certificate gets it, or that there is none', async () => {
  const { workers } = startPool(2)
  workers[1]!.say({ type: 'material-wanted', certificate: 'held' })
  workers[1]!.say({ type: 'material-wanted', certificate: 'gone' })
  assert.deepEqual(workers[1]!.of('material'), [
    { type: 'material', certificate: 'held', material },
    { type: 'material', certificate: 'gone', material: undefined },
  ])
  assert.deepEqual(workers[0]!.of('material'), [])
})

test('a worker that asks for a name is answered, and it alone; what workers have seen is told', async () => {
  const { workers, seen } = startPool(2)
  workers[1]!.say({ type: 'name-wanted', name: 'a.test', address: '192.0.2.1' })
  workers[0]!.say({ type: 'names-seen', names: ['b.test', 'c.test'] })
  await new Promise((resolve) => setImmediate(resolve))
  const answer = { type: 'denied', reason: 'a.test for 192.0.2.1', forMs: 1 }
  assert.deepEqual(workers[1]!.of('name-answer'), [{ type: 'name-answer', name: 'a.test', answer }])
  assert.deepEqual(workers[0]!.of('name-answer'), [])
  assert.deepEqual(seen, ['b.test', 'c.test'])
})
