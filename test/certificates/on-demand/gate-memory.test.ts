import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Gate, type HourlyLimits } from '../../../src/certificates/on-demand/gate.ts'
import { GateMemory } from '../../../src/certificates/on-demand/gate-memory.ts'
import { SparseLog } from '../../../src/certificates/on-demand/sparse-log.ts'
import { FakeClock } from '../../fakes/fake-clock.ts'
import { MemoryStorage } from '../../fakes/memory-storage.ts'
import { RecordingLog } from '../../fakes/recording-log.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const LIMITS: HourlyLimits = { names: 3, namesPerDomain: 2, namesPerAddress: 4, questions: 6 }
const KEY = 'on-demand/hour'

/** A gate with its memory, from one start of a program to its end, in any way. */
class Life {
  readonly clock: FakeClock
  readonly gate: Gate
  readonly memory: GateMemory
  readonly log = new RecordingLog()
  readonly #ending = new AbortController()
  readonly #running: Promise<void>

  constructor(storage: MemoryStorage, clock: FakeClock, limits: Partial<HourlyLimits> = {}) {
    this.clock = clock
    this.gate = new Gate({ ...LIMITS, ...limits }, clock)
    this.memory = new GateMemory({ gate: this.gate, storage, clock, log: new SparseLog(this.log, clock) })
    this.#running = this.memory.run(this.#ending.signal)
  }

  async admit(name: string, address = '192.0.2.1'): Promise<string> {
    await this.memory.loaded()
    const closed = this.gate.enter(name, address, true) ?? this.gate.admit(name)
    this.memory.noted()
    return closed?.by ?? 'open'
  }

  async stop(): Promise<void> {
    this.#ending.abort()
    await this.#running
  }
}

test('a program that crashes over and over begins no new hour: what each life let in counts in the next', async () => {
  const storage = new MemoryStorage()
  const clock = new FakeClock()
  const seen: string[] = []
  for (let life = 0; life < 5; life++) {
    const it = new Life(storage, clock)
    seen.push(await it.admit(`n${life}.a${life}.test`))
    // It is killed two seconds later: nothing is written at the end.
    await clock.advance(2000)
  }
  assert.deepEqual(seen, ['open', 'open', 'open', 'names', 'names'])
  await clock.advance(HOUR)
  assert.equal(await new Life(storage, clock).admit('later.test'), 'open')
})

test('each limit is kept: in all, of questions, of a registered domain and of an address', async () => {
  for (const [limits, names, by] of [
    [{ names: 2 }, ['a.one.test', 'b.two.test', 'c.three.test'], 'names'],
    [{ questions: 2 }, ['a.one.test', 'b.two.test', 'c.three.test'], 'questions'],
    [{ namesPerDomain: 2 }, ['a.one.test', 'b.one.test', 'c.one.test'], 'namesPerDomain'],
    [{ namesPerAddress: 2 }, ['a.one.test', 'b.two.test', 'c.three.test'], 'namesPerAddress'],
  ] as const) {
    const storage = new MemoryStorage()
    const clock = new FakeClock()
    const wide = { names: 100, namesPerDomain: 100, namesPerAddress: 100, questions: 100, ...limits }
    const first = new Life(storage, clock, wide)
    for (const name of names.slice(0, 2)) assert.equal(await first.admit(name), 'open')
    await first.stop()
    const second = new Life(storage, clock, wide)
    assert.equal(await second.admit(names[2]), by)
    assert.equal(await second.admit('other.test', '198.51.100.1'), by === 'names' || by === 'questions' ? by : 'open')
    await second.stop()
  }
})

test('it is written once a second in the first minute, then once a minute, and at the end', async () => {
  const storage = new MemoryStorage()
  const clock = new FakeClock()
  const it = new Life(storage, clock, { names: 1e6, namesPerDomain: 1e6, namesPerAddress: 1e6, questions: 1e6 })
  const during = async (ms: number): Promise<number> => {
    const before = storage.puts.length
    for (let passed = 0; passed < ms; passed += 100) {
      await it.admit('a.test')
      await clock.advance(100)
    }
    return storage.puts.length - before
  }
  const early = await during(10_000)
  assert.ok(early >= 9 && early <= 11, `${early}`)
  await clock.advance(2 * MINUTE)
  const late = await during(5 * MINUTE)
  assert.ok(late === 5 || late === 6, `${late}`)
  await it.admit('a.test')
  const before = storage.puts.length
  await it.stop()
  assert.equal(storage.puts.length, before + 1)
  assert.deepEqual(new Set(storage.puts), new Set([KEY]))
})

test('while nobody comes nothing is written, at the end neither', async () => {
  const storage = new MemoryStorage()
  const clock = new FakeClock()
  const it = new Life(storage, clock)
  await clock.advance(HOUR)
  await it.stop()
  assert.deepEqual(storage.puts, [])
})

test('what is damaged is set aside and counted anew, and a storage that fails keeps nobody out', async () => {
  for (const damaged of ['{', '[]', '{"names":[],"questions":[],"domains":{"a.test":[[1,"x"]]},"addresses":{}}']) {
    const storage = new MemoryStorage()
    await storage.put(KEY, Buffer.from(damaged))
    const it = new Life(storage, new FakeClock())
    assert.equal(await it.admit('a.test'), 'open', damaged)
    assert.equal(it.log.of('on-demand-hour-damaged').length, 1)
    assert.equal(storage.aside.size, 1)
    await it.stop()
  }
  const storage = new MemoryStorage()
  storage.fails = () => true
  const it = new Life(storage, new FakeClock())
  assert.equal(await it.admit('a.test'), 'open')
  await it.stop()
  assert.equal(it.log.of('on-demand-hour-not-stored').length, 1)
})

test('a record that was made with higher limits, or by a clock that was ahead, closes nothing for longer than an hour', async () => {
  const storage = new MemoryStorage()
  const clock = new FakeClock()
  const wide = new Life(storage, clock, { names: 50, namesPerDomain: 50, namesPerAddress: 50, questions: 50 })
  for (let index = 0; index < 50; index++) await wide.admit(`n${index}.test`)
  await wide.stop()
  const narrow = new Life(storage, clock)
  assert.equal(await narrow.admit('a.other'), 'namesPerAddress')
  await narrow.stop()
  await clock.advance(HOUR)
  const later = new Life(storage, clock)
  assert.equal(await later.admit('a.other'), 'open')
  await later.stop()
  const back = new Life(storage, new FakeClock(clock.now() - 365 * 24 * HOUR))
  assert.equal(await back.admit('b.other'), 'open')
  await back.stop()
})

test('the record is bounded: of a flood of addresses it has those that are counted', async () => {
  const storage = new MemoryStorage()
  const clock = new FakeClock()
  const it = new Life(storage, clock, { questions: 1_000_000, names: 1_000_000 })
  await it.memory.loaded()
  for (let index = 0; index < 30_000; index++)
    it.gate.enter(`x${index}.test`, `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`, true)
  it.memory.noted()
  await it.stop()
  const bytes = (await storage.get(KEY))!.length
  assert.ok(bytes < 500_000, `${bytes}`)
  assert.equal(Object.keys(it.gate.record().addresses).length, 10_000)
})
