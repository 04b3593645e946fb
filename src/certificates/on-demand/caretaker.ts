import { describeError } from '../../errors.ts'
import type { Storage } from '../../storage/storage.ts'
import { type Clock, pause } from '../../system/clock.ts'
import type { Log } from '../../telemetry/log.ts'
import { ARCHIVE, placeOf } from '../place.ts'
import type { WantedCertificate } from '../wanted.ts'
import type { DailyQuestions, Round } from './daily-questions.ts'
import type { NamesInUse } from './names-in-use.ts'
import { type NameRecord, type Registry, shards } from './registry.ts'

export type CaretakerOptions = {
  readonly inUse: Pick<NamesInUse, 'has' | 'take'>
  readonly registry: Pick<Registry, 'of' | 'put' | 'delete'>
  readonly wantedOf: (name: string) => readonly WantedCertificate[]
  readonly storage: Storage
  readonly clock: Clock
  readonly log: Log
  /** Names that nobody has come for in so long are not renewed. */
  readonly keepForMs: number
  readonly questions: DailyQuestions
}

const DAY_MS = 24 * 60 * 60 * 1000
/** All names once a day, in small bites: which part it is now depends on the time of the day alone. */
const BITE_MS = DAY_MS / shards.length

/**
 * Looks after the names on demand that are at rest, on the disk: those that are due and were seen lately are taken up to be
 * renewed, and CAs are asked about the others that were; those that nobody comes for any more are not, and are archived when their certificates have ended.
 */
export class Caretaker {
  readonly #options: CaretakerOptions

  constructor(options: CaretakerOptions) {
    this.#options = options
  }

  /** Until the signal is aborted. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    while (!signal.aborted) {
      const now = clock.now()
      await pause(clock, BITE_MS - (now % BITE_MS), signal)
      if (!signal.aborted) await this.lookAfter(shards[Math.floor(clock.now() / BITE_MS) % shards.length]!, signal)
    }
  }

  /** One part of the names. Never rejects. */
  async lookAfter(shard: string, signal: AbortSignal): Promise<void> {
    const { registry, questions, log } = this.#options
    const round = questions.begin(shard)
    try {
      for await (const record of registry.of(shard)) {
        if (signal.aborted) return
        await this.#lookAfter(record, round, signal)
      }
    } catch (error) {
      if (signal.aborted) return
      const message = `Names on demand could not be looked after, and will be in a day: ${describeError(error)}`
      log.warn('on-demand-unattended', message)
    }
  }

  async #lookAfter(record: NameRecord, round: Round, signal: AbortSignal): Promise<void> {
    const { inUse, wantedOf, clock, keepForMs } = this.#options
    const { name, seenAt, dueAt, notAfter, withdrawnAt } = record
    const now = clock.now()
    if (inUse.has(name)) return
    // Beyond now, it was seen by a clock that was ahead.
    const isKept = withdrawnAt === undefined && now - seenAt < keepForMs
    if (!isKept && notAfter <= now) return this.#archive(record)
    // What has ended is ordered anew when a client comes.
    if (!isKept || notAfter <= now) return
    if (dueAt <= now) return inUse.take(record, wantedOf(name))
    await this.#ask(record, round, signal)
  }

  /** It may have been revoked, or its CA wants it to be renewed earlier for another reason. */
  async #ask(record: NameRecord, round: Round, signal: AbortSignal): Promise<void> {
    const { inUse, registry, wantedOf, clock } = this.#options
    const { name } = record
    const dueAt = await round.dueAt(wantedOf(name), signal)
    // A client may have come meanwhile: then it is known better.
    if (dueAt === undefined || dueAt >= record.dueAt || inUse.has(name)) return
    const news = { ...record, dueAt }
    await registry.put(news)
    if (dueAt <= clock.now()) await inUse.take(news, wantedOf(name))
  }

  /** Moved away, as a key is never thrown away unasked; the rest is forgotten. */
  async #archive({ name }: NameRecord): Promise<void> {
    const { storage, registry, wantedOf, log } = this.#options
    for (const { id } of wantedOf(name)) {
      const place = placeOf('certificates', id)
      const value = await storage.get(place)
      if (value !== undefined) await storage.put(`${ARCHIVE}/${place}`, value)
      for (const each of [place, placeOf('attempts', id), placeOf('renewal-info', id)]) await storage.delete(each)
    }
    await registry.delete(name)
    log.info(
      'on-demand-archived',
      `Nobody comes for ${name} any more: it is forgotten, and its certificate archived.`,
      {
        name,
      },
    )
  }
}
