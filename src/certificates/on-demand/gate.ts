import { LRUCache } from 'lru-cache'
import { parse } from 'tldts'
import type { Clock } from '../../system/clock.ts'
import { networkOf } from '../ledger/address-network.ts'
import { registeredDomain } from '../ledger/registered-domain.ts'
import { type Counted, HourlyLimit } from './hourly-limit.ts'

/** So many an hour: see the config. */
export type HourlyLimits = {
  readonly names: number
  readonly namesPerDomain: number
  readonly namesPerAddress: number
  readonly questions: number
}

/** Which of the limits is reached, and for how long. */
export type Closed = { readonly by: keyof HourlyLimits; readonly forMs: number }

/** What was counted in the last hour, to the minute: plain JSON. */
export type GateRecord = {
  readonly names: readonly Counted[]
  readonly questions: readonly Counted[]
  readonly domains: Readonly<Record<string, readonly Counted[]>>
  readonly addresses: Readonly<Record<string, readonly Counted[]>>
}

/** Domains and addresses that are counted: whoever has more addresses than this meets the limit for all. */
const MAX_COUNTED = 10_000

/** What names that are new may cost in an hour: in all, for a registered domain, and for a client address. */
export class Gate {
  readonly #limits: HourlyLimits
  readonly #clock: Pick<Clock, 'now'>
  readonly #names: HourlyLimit
  readonly #questions: HourlyLimit
  readonly #byDomain = new LRUCache<string, HourlyLimit>({ max: MAX_COUNTED })
  readonly #byAddress = new LRUCache<string, HourlyLimit>({ max: MAX_COUNTED })

  constructor(limits: HourlyLimits, clock: Pick<Clock, 'now'>) {
    this.#limits = limits
    this.#clock = clock
    this.#names = new HourlyLimit(limits.names)
    this.#questions = new HourlyLimit(limits.questions)
  }

  /** Lets a name be looked into, for a client at this address, and counts it; or says what stands against that. */
  enter(name: string, address: string, isAsked: boolean): Closed | undefined {
    const now = this.#clock.now()
    // Clients on a Unix socket have no address, and are not all one.
    const ofAddress =
      address === '' ? undefined : limitOf(this.#byAddress, networkOf(address), this.#limits.namesPerAddress)
    const closed =
      closedBy('namesPerAddress', ofAddress, now) ??
      closedBy('names', this.#names, now) ??
      closedBy('namesPerDomain', this.#ofDomain(name), now) ??
      (isAsked ? closedBy('questions', this.#questions, now) : undefined)
    if (closed !== undefined) return closed
    ofAddress?.take(now)
    if (isAsked) this.#questions.take(now)
    return undefined
  }

  /** Lets a name that may have a certificate get one, and counts it; others may have come first. */
  admit(name: string): Closed | undefined {
    const now = this.#clock.now()
    const ofDomain = this.#ofDomain(name)
    const closed = closedBy('names', this.#names, now) ?? closedBy('namesPerDomain', ofDomain, now)
    if (closed !== undefined) return closed
    this.#names.take(now)
    ofDomain.take(now)
    return undefined
  }

  record(): GateRecord {
    const now = this.#clock.now()
    return {
      names: this.#names.counts(now),
      questions: this.#questions.counts(now),
      domains: countsOf(this.#byDomain, now),
      addresses: countsOf(this.#byAddress, now),
    }
  }

  /** Takes up what was counted before. To be called before anything is counted here. */
  restore({ names, questions, domains, addresses }: GateRecord): void {
    const { namesPerDomain, namesPerAddress } = this.#limits
    this.#names.restore(names)
    this.#questions.restore(questions)
    for (const [domain, counts] of Object.entries(domains))
      limitOf(this.#byDomain, domain, namesPerDomain).restore(counts)
    for (const [address, counts] of Object.entries(addresses))
      limitOf(this.#byAddress, address, namesPerAddress).restore(counts)
  }

  #ofDomain(name: string): HourlyLimit {
    return limitOf(this.#byDomain, registeredDomain(name), this.#limits.namesPerDomain)
  }
}

/** Whether other people's domains are below it (`co.uk`): no CA certifies such a name (Baseline Requirements §3.2.2.6). */
export function isPublicSuffix(name: string): boolean {
  const { publicSuffix, isIcann } = parse(name, { validateHostname: false })
  return isIcann === true && publicSuffix === name
}

function countsOf(limits: LRUCache<string, HourlyLimit>, now: number): GateRecord['domains'] {
  const counts = [...limits.entries()].reverse().map(([key, limit]) => [key, limit.counts(now)] as const)
  return Object.fromEntries(counts.filter(([, counted]) => counted.length > 0))
}

function limitOf(limits: LRUCache<string, HourlyLimit>, key: string, most: number): HourlyLimit {
  const limit = limits.get(key) ?? new HourlyLimit(most)
  limits.set(key, limit)
  return limit
}

function closedBy(by: Closed['by'], limit: HourlyLimit | undefined, now: number): Closed | undefined {
  const forMs = limit?.waitMs(now) ?? 0
  return forMs > 0 ? { by, forMs } : undefined
}
