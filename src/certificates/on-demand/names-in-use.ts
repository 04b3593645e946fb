import { describeError } from '../../errors.ts'
import type { Clock } from '../../system/clock.ts'
import type { AddedCertificates } from '../added.ts'
import type { HeldCertificate } from '../state.ts'
import type { WantedCertificate } from '../wanted.ts'
import type { Outcome } from '../wish.ts'
import type { NameRecord, Registry } from './registry.ts'
import type { SparseLog } from './sparse-log.ts'

export type NamesInUseOptions = {
  readonly certificates: Pick<AddedCertificates, 'add' | 'letGo' | 'held' | 'standing' | 'outcome'>
  readonly registry: Pick<Registry, 'put'>
  readonly clock: Pick<Clock, 'now'>
  readonly log: SparseLog
}

type InUse = {
  readonly ids: readonly string[]
  /** As it is stored, or about to be. */
  record: NameRecord
  /** When a worker last told of a client, or it was taken up. */
  seenAt: number
  /** Ends when what the storage has of it is known. */
  taking: Promise<void>
  isTaken: boolean
}

const HOUR_MS = 60 * 60 * 1000
const DAY_MS = 24 * HOUR_MS
/** Workers tell every half an hour of names that are in use. */
const IDLE_MS = 2 * HOUR_MS
/** Some 10 kB each: the longest unseen makes room, and is loaded again when a client comes. */
const MAX_IN_USE = 50_000

/** The names on demand that clients have lately come for: their certificates alone are in memory, served and renewed. */
export class NamesInUse {
  readonly #options: NamesInUseOptions
  /** The longest unseen first. */
  readonly #names = new Map<string, InUse>()
  /** Ends when all that was to be written has been. */
  #writing: Promise<void> = Promise.resolve()

  constructor(options: NamesInUseOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#names.size
  }

  has(name: string): boolean {
    return this.#names.has(name)
  }

  /** Takes up what the storage has of a name; what is missing is ordered. Throws StorageError `storage-unreadable`. */
  take(record: NameRecord, wanted: readonly WantedCertificate[]): Promise<void> {
    const known = this.#names.get(record.name)
    if (known !== undefined) return known.taking
    const ids = wanted.map(({ id }) => id)
    const inUse = { ids, record, seenAt: this.#options.clock.now(), taking: Promise.resolve(), isTaken: false }
    this.#names.set(record.name, inUse)
    inUse.taking = this.#add(inUse, wanted)
    if (this.#names.size > MAX_IN_USE) this.#makeRoom()
    return inUse.taking
  }

  async #add(inUse: InUse, wanted: readonly WantedCertificate[]): Promise<void> {
    try {
      await this.#options.certificates.add(wanted)
      inUse.isTaken = true
    } catch (error) {
      this.#names.delete(inUse.record.name)
      throw error
    }
  }

  /** Of those that may have certificates. */
  get records(): NameRecord[] {
    return [...this.#names.values()].map(({ record }) => record).filter(({ withdrawnAt }) => withdrawnAt === undefined)
  }

  /** Whether it is not to have a certificate any more, and leaves the memory soon. */
  isWithdrawn(name: string): boolean {
    return this.#names.get(name)?.record.withdrawnAt !== undefined
  }

  /** What can be served of it now. */
  held(name: string): HeldCertificate[] {
    const { certificates, clock } = this.#options
    const ids = this.#names.get(name)?.ids ?? []
    return certificates.held(ids.filter((id) => (certificates.standing(id)?.notAfter ?? 0) > clock.now()))
  }

  /** How the orders that are missing end, those that have to wait first included. */
  outcomes(name: string): Promise<Outcome>[] {
    return (this.#names.get(name)?.ids ?? []).map((id) => this.#options.certificates.outcome(id))
  }

  /** A client has come for it. That is written down once a day. */
  seen(name: string): void {
    const inUse = this.#names.get(name)
    if (inUse === undefined) return
    inUse.seenAt = this.#options.clock.now()
    this.#names.delete(name)
    this.#names.set(name, inUse)
    if (inUse.seenAt - inUse.record.seenAt >= DAY_MS) this.note(name, { seenAt: inUse.seenAt })
  }

  /** Writes down how it stands with a name, and this besides. */
  note(name: string, news: Partial<NameRecord> = {}): void {
    const inUse = this.#names.get(name)
    if (inUse?.isTaken !== true) return
    const record = { ...inUse.record, ...this.#standing(inUse), ...news }
    const isNew = JSON.stringify(record) !== JSON.stringify(inUse.record)
    inUse.record = record
    if (isNew) void this.write(record)
  }

  /** Out of memory, unless an order of it is under way: gives whether it has gone. */
  release(name: string): boolean {
    const inUse = this.#names.get(name)
    if (inUse === undefined) return true
    if (!inUse.isTaken) return false
    this.note(name)
    if (!this.#options.certificates.letGo(inUse.ids)) return false
    this.#names.delete(name)
    return true
  }

  /** Releases those that nobody has come for in a while. */
  sweep(): void {
    const now = this.#options.clock.now()
    for (const [name, { seenAt, record }] of this.#names) {
      // Ahead of now, the clock was set back.
      const isIdle = now - seenAt > IDLE_MS || seenAt > now
      if (isIdle || record.withdrawnAt !== undefined) this.release(name)
    }
  }

  /** Resolves when all has been written down. */
  async settled(): Promise<void> {
    await this.#writing
  }

  #makeRoom(): void {
    for (const name of this.#names.keys()) if (this.release(name)) return
  }

  #standing({ ids }: InUse): Pick<NameRecord, 'dueAt' | 'notAfter'> {
    const standings = ids.flatMap((id) => this.#options.certificates.standing(id) ?? [])
    return {
      dueAt: Math.min(...standings.map(({ at }) => at)),
      notAfter: Math.max(...standings.map(({ notAfter = 0 }) => notAfter)),
    }
  }

  /** Writes one record after the other, so that the last word on a name stands. Never rejects. */
  write(record: NameRecord): Promise<void> {
    const { registry, log } = this.#options
    this.#writing = this.#writing
      .then(() => registry.put(record))
      .catch((error: unknown) => {
        const message = `What is known of names on demand cannot be written down: ${describeError(error)}`
        log.warn('on-demand-not-stored', message, { name: record.name })
      })
    return this.#writing
  }
}
