import { describeError } from '../../errors.ts'
import type { Storage } from '../../storage/storage.ts'
import { type Clock, pause } from '../../system/clock.ts'
import { setAside } from '../set-aside.ts'
import type { Gate, GateRecord } from './gate.ts'
import type { Counted } from './hourly-limit.ts'
import type { SparseLog } from './sparse-log.ts'

export type GateMemoryOptions = {
  readonly gate: Pick<Gate, 'record' | 'restore'>
  readonly storage: Storage
  readonly clock: Clock
  readonly log: SparseLog
}

const KEY = 'on-demand/hour'
const SECOND_MS = 1000
const MINUTE_MS = 60 * SECOND_MS

/**
 * The hour that a gate has counted, kept over restarts. Written once a minute at most, but once a second in the program's
 * first minute: one that crashes over and over would otherwise begin each time with a new hour.
 */
export class GateMemory {
  readonly #options: GateMemoryOptions
  readonly #startedAt: number
  #loading: Promise<void> | undefined
  #changed = Promise.withResolvers<void>()
  #isChanged = false

  constructor(options: GateMemoryOptions) {
    this.#options = options
    this.#startedAt = options.clock.now()
  }

  /** Takes up what was counted before, once. Never rejects: what cannot be read counts for nothing. */
  loaded(): Promise<void> {
    this.#loading ??= this.#load()
    return this.#loading
  }

  /** Something was counted. */
  noted(): void {
    this.#isChanged = true
    this.#changed.resolve()
  }

  /** Until the signal is aborted, and then once more. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    const stopped = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
    while (!signal.aborted) {
      await Promise.race([this.#changed.promise, stopped])
      if (signal.aborted) break
      await this.#save()
      const age = clock.now() - this.#startedAt
      await pause(clock, age >= 0 && age < MINUTE_MS ? SECOND_MS : MINUTE_MS, signal)
    }
    if (this.#isChanged) await this.#save()
  }

  async #save(): Promise<void> {
    const { gate, storage, log } = this.#options
    this.#isChanged = false
    this.#changed = Promise.withResolvers<void>()
    try {
      await storage.put(KEY, Buffer.from(`${JSON.stringify(gate.record())}\n`))
    } catch (error) {
      const message = `What new names on demand have cost in this hour is remembered only until a restart: ${describeError(error)}`
      log.warn('on-demand-hour-not-stored', message, {})
    }
  }

  async #load(): Promise<void> {
    const { gate, storage, log } = this.#options
    try {
      const value = await storage.get(KEY)
      if (value === undefined) return
      const record = parse(value)
      if (record !== undefined) return gate.restore(record)
      const message = `What new names on demand have cost in the last hour is damaged, and counted anew. ${await setAside(storage, KEY)}`
      log.warn('on-demand-hour-damaged', message, {})
    } catch (error) {
      const message = `What new names on demand have cost in the last hour cannot be read, and is counted anew: ${describeError(error)}`
      log.warn('on-demand-hour-damaged', message, {})
    }
  }
}

function parse(value: Buffer): GateRecord | undefined {
  let record: Partial<GateRecord> | null
  try {
    record = JSON.parse(value.toString('utf8'))
  } catch {
    return undefined
  }
  const { names, questions, domains, addresses } = record ?? {}
  const areMaps = [domains, addresses].every((map) => typeof map === 'object' && map !== null && !Array.isArray(map))
  if (!areMaps) return undefined
  const all: unknown[] = [names, questions, ...Object.values(domains!), ...Object.values(addresses!)]
  return all.every(isCounted) ? (record as GateRecord) : undefined
}

function isCounted(counts: unknown): counts is Counted[] {
  const isOne = (each: unknown): boolean =>
    Array.isArray(each) && each.length === 2 && Number.isInteger(each[0]) && Number.isInteger(each[1]) && each[1] > 0
  return Array.isArray(counts) && counts.every(isOne)
}
