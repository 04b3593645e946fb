import type { Issuer } from '../issuers/issuer.ts'
import { PkiError } from '../pki/pki-error.ts'
import type { Storage } from '../storage/storage.ts'
import type { Clock } from '../system/clock.ts'
import type { Random } from '../system/random.ts'
import { isFrom } from './issuance.ts'
import { unpackChain } from './packed-certificate.ts'
import { renewalTime } from './plan.ts'
import { factsOfStored, readCertificate, type StoredCertificate } from './record.ts'
import { answered, askAtOf, type Suggestion, unanswered, unsaid } from './suggestion.ts'
import { recallSuggestion, storeSuggestion } from './suggestions.ts'
import type { WantedCertificate } from './wanted.ts'

export type DormantOptions = {
  readonly storage: Storage
  readonly issuers: ReadonlyMap<string, Issuer>
  readonly clock: Pick<Clock, 'now'>
  readonly random: Random
  /** Whether this CA should be asked nothing now. */
  readonly isOut: (issuer: string) => boolean
}

/** What is known of one after its CA was asked. */
export type Learnt = {
  /** When it is to be renewed, in ms since 1970. */
  readonly dueAt: number
  /** Whether the CA has answered, be it that it suggests nothing. */
  readonly isAnswered: boolean
}

/** Certificates that are stored and not in memory: their CAs are asked when to renew them all the same, and nothing is kept. */
export class Dormant {
  readonly #options: DormantOptions

  constructor(options: DormantOptions) {
    this.#options = options
  }

  /**
   * Asks the CA of one when to renew it, and stores the answer for when it is taken up. undefined if it is not to be asked
   * now. Throws StorageError, or the signal's reason if that aborts it.
   */
  async ask(wanted: WantedCertificate, signal: AbortSignal): Promise<Learnt | undefined> {
    const { storage, issuers, clock, isOut } = this.#options
    if (!wanted.issuers.some((name) => issuers.get(name)?.renewalInfo !== undefined && !isOut(name))) return undefined
    const before = await recallSuggestion(storage, wanted.id)
    // Until then, whatever there is of it by now, its CA has had its say.
    if (askAtOf(before, Number.POSITIVE_INFINITY, clock.now()) > clock.now()) return undefined
    const stored = await this.#read(wanted.id)
    const issuer = stored && issuers.get(stored.issuer)
    if (stored === undefined || issuer?.renewalInfo === undefined || isOut(issuer.name)) return undefined
    if (!isFrom(issuer, stored) || stored.certificate.notAfter <= clock.now()) return undefined
    return this.#askFor(wanted.id, stored, issuer, before, signal)
  }

  async #askFor(
    id: string,
    stored: StoredCertificate,
    issuer: Issuer,
    before: Suggestion | undefined,
    signal: AbortSignal,
  ): Promise<Learnt> {
    const { fingerprint } = stored.certificate
    const own = before?.fingerprint === fingerprint ? before : undefined
    const info = await issuer
      .renewalInfo?.(unpackChain(stored.packed)[0], signal)
      .then((said) => said ?? 'nothing')
      .catch(() => undefined)
    signal.throwIfAborted()
    const dice = { now: this.#options.clock.now(), random: this.#options.random }
    const suggestion =
      info === undefined
        ? unanswered(fingerprint, own, dice)
        : info === 'nothing'
          ? unsaid(fingerprint, dice)
          : answered(fingerprint, info, own, dice)
    await storeSuggestion(this.#options.storage, id, suggestion)
    return { dueAt: renewalTime(factsOfStored(stored, suggestion.renewAt)), isAnswered: info !== undefined }
  }

  /** What is damaged is found when it is taken up. */
  async #read(id: string): Promise<StoredCertificate | undefined> {
    try {
      return await readCertificate(this.#options.storage, id)
    } catch (error) {
      if (error instanceof PkiError) return undefined
      throw error
    }
  }
}
