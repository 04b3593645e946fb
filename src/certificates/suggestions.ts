import { describeError } from '../errors.ts'
import type { Issuer } from '../issuers/issuer.ts'
import type { Storage, StorageReader } from '../storage/storage.ts'
import type { Clock } from '../system/clock.ts'
import type { Random } from '../system/random.ts'
import type { Log } from '../telemetry/log.ts'
import { unpackChain } from './packed-certificate.ts'
import { placeOf } from './place.ts'
import type { StoredCertificate } from './record.ts'
import { spokenTime } from './spoken-time.ts'
import { answered, askAtOf, type Suggestion, unanswered, unsaid } from './suggestion.ts'
import type { WantedCertificate } from './wanted.ts'

/** Where the storage has them. */
const SUGGESTIONS = 'renewal-info'

type Surroundings = { readonly storage: Storage; readonly clock: Clock; readonly random: Random; readonly log: Log }

/**
 * When CAs would like their certificates to be renewed: asked for each of them every few hours, and remembered over restarts,
 * so that the instant drawn from a window stays the same.
 */
export class Suggestions {
  readonly #surroundings: Surroundings
  readonly #known = new Map<string, Suggestion>()

  constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings
  }

  /** Takes up what is remembered of these certificates. What cannot be read is asked anew. Throws StorageError `storage-unreadable`. */
  async load(ids: ReadonlySet<string>): Promise<void> {
    const { storage } = this.#surroundings
    for (const key of await storage.list(SUGGESTIONS)) {
      const id = key.slice(keyOf('').length)
      const suggestion = ids.has(id) ? await recallSuggestion(storage, id) : undefined
      if (suggestion !== undefined) this.#known.set(id, suggestion)
    }
  }

  /** The same for one that comes later. Throws StorageError `storage-unreadable`. */
  async take(id: string): Promise<void> {
    const suggestion = await recallSuggestion(this.#surroundings.storage, id)
    if (suggestion !== undefined) this.#known.set(id, suggestion)
  }

  /** What is stored stays. */
  letGo(id: string): void {
    this.#known.delete(id)
  }

  /** What the CA has said of this certificate. */
  of(id: string, { certificate }: StoredCertificate): Suggestion | undefined {
    return this.#of(id, certificate.fingerprint)
  }

  /** When the CA would like this certificate to be renewed: an instant of its window. undefined if it has not said. */
  renewAt(id: string, { certificate }: StoredCertificate): number | undefined {
    return this.#of(id, certificate.fingerprint)?.renewAt
  }

  /** When to ask for it next; never for what has expired (RFC 9773 §4.3.4). */
  askAt(id: string, { certificate }: StoredCertificate): number {
    const suggestion = this.#of(id, certificate.fingerprint)
    return askAtOf(suggestion, certificate.notAfter, this.#surroundings.clock.now())
  }

  /** Asks the CA, and says whether the time to renew has changed. A failure is noted, and asked again later. */
  async ask(
    { id, names, keyKind }: WantedCertificate,
    { certificate, packed }: StoredCertificate,
    issuer: Issuer,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { log } = this.#surroundings
    const { fingerprint } = certificate
    const before = this.#of(id, fingerprint)
    try {
      const info = await issuer.renewalInfo?.(unpackChain(packed)[0], signal)
      if (info === undefined) {
        await this.#remember(id, unsaid(fingerprint, this.#dice))
        return before?.renewAt !== undefined
      }
      const suggestion = answered(fingerprint, info, before, this.#dice)
      await this.#remember(id, suggestion)
      const { renewAt, explanationUrl } = suggestion
      if (renewAt === before?.renewAt && explanationUrl === before?.explanationUrl) return false
      const why = explanationUrl === undefined ? '' : ` It says why at ${explanationUrl}`
      const message = `${issuer.name} would like the ${keyKind} certificate for ${names[0]} to be renewed between ${spokenTime(info.windowStart)} and ${spokenTime(info.windowEnd)}; it will be at ${spokenTime(renewAt!)}.${why}`
      log.info('renewal-suggested', message, { certificate: id, renewAt: spokenTime(renewAt!), explanationUrl })
      return renewAt !== before?.renewAt
    } catch (error) {
      if (signal.aborted) return false
      await this.#remember(id, unanswered(fingerprint, before, this.#dice))
      log.debug('renewal-info-failed', `${issuer.name} did not say when to renew: ${describeError(error)}`, {
        certificate: id,
      })
      return false
    }
  }

  #of(id: string, fingerprint: string): Suggestion | undefined {
    const known = this.#known.get(id)
    return known?.fingerprint === fingerprint ? known : undefined
  }

  get #dice(): { readonly now: number; readonly random: Random } {
    return { now: this.#surroundings.clock.now(), random: this.#surroundings.random }
  }

  /** Not worth a word if it cannot be stored: it is asked again after a restart. */
  async #remember(id: string, suggestion: Suggestion): Promise<void> {
    const { storage, log } = this.#surroundings
    this.#known.set(id, suggestion)
    await storeSuggestion(storage, id, suggestion).catch((error: unknown) => {
      log.debug('renewal-info-not-stored', describeError(error), { certificate: id })
    })
  }
}

/** What the storage remembers of a CA's word, for whichever certificate that was. Throws StorageError `storage-unreadable`. */
export async function recallSuggestion(storage: StorageReader, id: string): Promise<Suggestion | undefined> {
  const value = await storage.get(keyOf(id))
  return value === undefined ? undefined : parse(value)
}

/** Throws StorageError `storage-unwritable`. */
export function storeSuggestion(storage: Pick<Storage, 'put'>, id: string, suggestion: Suggestion): Promise<void> {
  return storage.put(keyOf(id), Buffer.from(`${JSON.stringify(suggestion)}\n`))
}

function keyOf(id: string): string {
  return placeOf(SUGGESTIONS, id)
}

function parse(value: Buffer): Suggestion | undefined {
  let suggestion: Partial<Suggestion> | null
  try {
    suggestion = JSON.parse(value.toString('utf8'))
  } catch {
    return undefined
  }
  const { fingerprint, askAt, window, renewAt, explanationUrl } = suggestion ?? {}
  const isTime = (time: unknown): boolean => time === undefined || Number.isFinite(time)
  const areTimes = [askAt, renewAt, window?.start, window?.end].every(isTime) && askAt !== undefined
  const areTexts =
    typeof fingerprint === 'string' && (explanationUrl === undefined || typeof explanationUrl === 'string')
  return areTimes && areTexts ? (suggestion as Suggestion) : undefined
}
