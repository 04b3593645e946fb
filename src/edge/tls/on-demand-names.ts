import { LRUCache } from 'lru-cache'
import { isOnDemandName, wildcardOf } from '../router/router.ts'
import type { NameAnswer, OnDemandSnapshot } from '../snapshot.ts'
import type { Swept } from '../sweep.ts'

/** Asks whoever holds the certificates, who answers within `waitMs`, whether a name is to have one. */
export type AskForName = (name: string, address: string) => Promise<NameAnswer>

export type OnDemandNamesOptions = {
  readonly settings: OnDemandSnapshot
  readonly isListed: (name: string) => boolean
  readonly askForName: AskForName
  /** Clients have lately come for these, which are served. */
  readonly tellSeen: (names: readonly string[]) => void
  /** Milliseconds from any start. */
  readonly now?: () => number
}

/** A handshake that waits. */
export type Question = {
  /** Never rejects. */
  readonly answer: Promise<NameAnswer>
  /** The handshake waits no longer; to be called once the answer is there, too. */
  readonly leave: () => void
}

type Refusal = Exclude<NameAnswer, { type: 'served' }>
type Remembered = { readonly refusal: Refusal; readonly until: number }

/** A flood of names that nobody may have must not become a flood of questions, nor of memory: some 2 MB. */
const MAX_REFUSALS = 10_000
const MAX_ADDRESSES = 10_000
/** Names that are told of as seen, at most; those beyond are told of more often, and no harm is done. */
const MAX_SEEN = 20_000
/** A name that is in use is told of this often. */
const SEEN_INTERVAL_MS = 30 * 60_000
const TELL_INTERVAL_MS = 10_000

const BUSY: Refusal = {
  type: 'unavailable',
  reason: 'too many handshakes wait for such names already',
  forMs: 0,
  ofAddress: false,
}

/**
 * The names that no site lists, as a worker meets them: asked about once however many handshakes wait, within bounds in
 * number, and not again as long as a refusal counts. What it takes to refuse one is two look-ups.
 */
export class OnDemandNames implements Swept {
  readonly waitMs: number
  readonly #options: OnDemandNamesOptions
  readonly #allow: ReadonlySet<string> | undefined
  readonly #now: () => number
  readonly #open = new Map<string, Promise<NameAnswer>>()
  readonly #refusedNames = new LRUCache<string, Remembered>({ max: MAX_REFUSALS })
  readonly #refusedAddresses = new LRUCache<string, Remembered>({ max: MAX_ADDRESSES })
  readonly #seenAt = new LRUCache<string, number>({ max: MAX_SEEN })
  #seen: string[] = []
  #tellAt = 0
  #waiting = 0

  constructor(options: OnDemandNamesOptions) {
    const { settings, now = () => performance.now() } = options
    this.#options = options
    this.waitMs = settings.waitMs
    this.#allow = settings.allow && new Set(settings.allow)
    this.#now = now
  }

  /** Whether a name can be one at all. */
  isOne(name: string): boolean {
    if (!isOnDemandName(name) || this.#options.isListed(name)) return false
    return this.#allow === undefined || this.#allow.has(name) || this.#allow.has(wildcardOf(name))
  }

  /** Asks about a name that is one, on behalf of a handshake from this address. A refusal at once is one without a question. */
  ask(name: string, address: string): Refusal | Question {
    const refusal = this.#recall(this.#refusedNames, name) ?? this.#recall(this.#refusedAddresses, address)
    if (refusal !== undefined) return refusal
    const { waiting } = this.#options.settings
    if (this.#waiting >= waiting) return BUSY
    const underWay = this.#open.get(name)
    // A client that leaves at once leaves its question open for a while.
    if (underWay === undefined && this.#open.size >= waiting) return BUSY
    this.#waiting++
    let isWaiting = true
    const leave = (): void => {
      if (isWaiting) this.#waiting--
      isWaiting = false
    }
    return { answer: underWay ?? this.#question(name, address), leave }
  }

  /** A client has come for a name that is served. */
  seen(name: string): void {
    const now = this.#now()
    const at = this.#seenAt.get(name)
    if (at !== undefined && now - at < SEEN_INTERVAL_MS) return
    if (this.#options.isListed(name) || !isOnDemandName(name)) return
    this.#seenAt.set(name, now)
    this.#seen.push(name)
  }

  sweep(now: number): void {
    if (this.#seen.length === 0 || now < this.#tellAt) return
    this.#options.tellSeen(this.#seen)
    this.#seen = []
    this.#tellAt = now + TELL_INTERVAL_MS
  }

  #question(name: string, address: string): Promise<NameAnswer> {
    const answer = this.#options.askForName(name, address).then((said) => {
      this.#open.delete(name)
      this.#remember(name, address, said)
      return said
    })
    this.#open.set(name, answer)
    return answer
  }

  #remember(name: string, address: string, answer: NameAnswer): void {
    if (answer.type === 'served' || answer.forMs <= 0) return
    const remembered = { refusal: answer, until: this.#now() + answer.forMs }
    if (answer.type === 'unavailable' && answer.ofAddress) this.#refusedAddresses.set(address, remembered)
    else this.#refusedNames.set(name, remembered)
  }

  #recall(cache: LRUCache<string, Remembered>, key: string): Refusal | undefined {
    const remembered = cache.get(key)
    return remembered !== undefined && remembered.until > this.#now() ? remembered.refusal : undefined
  }
}
