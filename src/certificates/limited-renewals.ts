import type { Clock } from '../system/clock.ts'
import type { Attention } from './attention.ts'
import { Heap, type Placed } from './heap.ts'
import type { Item } from './inventory.ts'
import type { Wait } from './ledger/order-facts.ts'
import { isOnDemandId } from './place.ts'
import { isOrder, type Step } from './plan.ts'
import type { StoredCertificate } from './record.ts'
import { isTrial } from './trials.ts'

/** A renewal that waits for a rate limit and for nothing else. */
type Waiting = Placed & {
  readonly item: Item
  readonly issuer: string
  readonly serving: StoredCertificate
  readonly since: number
  wait: Wait
  /** When it is told, unless it has begun before. */
  tellAt: number
}

type LimitedRenewalsOptions = {
  readonly clock: Pick<Clock, 'now'>
  readonly attention: Pick<Attention, 'limited' | 'unlimited'>
}

/** Of the time from the beginning of a wait to the end of what serves meanwhile. */
const TELL_AFTER = 1 / 2

/**
 * Renewals that our own ledger of rate limits holds back: none of them fails, so that nobody would hear of one that waits past
 * the end of what it is to replace. Told when half of the time up to that is over, or is sure to be, by issuer, and by the one
 * that ends first.
 */
export class LimitedRenewals {
  readonly #options: LimitedRenewalsOptions
  readonly #waiting = new Map<Item, Waiting>()
  readonly #untold = new Heap<Waiting>((a, b) => a.tellAt < b.tellAt)
  /** By issuer. */
  readonly #told = new Map<string, Set<Waiting>>()

  constructor(options: LimitedRenewalsOptions) {
    this.#options = options
  }

  /** It was looked at, and is not to begin yet. */
  deferred(item: Item, step: Step): void {
    const serving = item.held ?? item.standIns[0]?.stored
    const wait = isOrder(step) && step.limit !== undefined && !isTrial(step.limit) ? step.limit : undefined
    if (serving === undefined || wait === undefined || isOnDemandId(item.wanted.id)) return this.#leave(item)
    const now = this.#options.clock.now()
    const before = this.#waiting.get(item)
    const since = before?.serving === serving ? before.since : now
    const half = since + (serving.certificate.notAfter - since) * TELL_AFTER
    const waiting = { place: -1, item, issuer: item.wanted.issuers[0]!, serving, since, wait }
    this.#leave(item, { isStill: true })
    this.#add({ ...waiting, tellAt: wait.at >= half ? now : half })
  }

  /** It has begun, or is not wanted any more. */
  remove(item: Item): void {
    this.#leave(item)
    const [issuer] = item.wanted.issuers
    // It may have been told of before a restart.
    if (!this.#told.has(issuer!)) this.#options.attention.unlimited(issuer!)
  }

  /** Tells of those that have waited for too long. Gives the time at which the next will have. */
  tellWhatIsDue(now: number): number {
    for (let next = this.#untold.first; next !== undefined && next.tellAt <= now; next = this.#untold.first) {
      this.#untold.remove(next)
      const told = this.#told.get(next.issuer) ?? new Set()
      this.#told.set(next.issuer, told.add(next))
      this.#tell(next.issuer)
    }
    return this.#untold.first?.tellAt ?? Number.POSITIVE_INFINITY
  }

  #add(waiting: Waiting): void {
    this.#waiting.set(waiting.item, waiting)
    this.#untold.add(waiting)
  }

  #leave(item: Item, { isStill = false } = {}): void {
    const waiting = this.#waiting.get(item)
    if (waiting === undefined) return
    this.#waiting.delete(item)
    if (this.#untold.has(waiting)) return this.#untold.remove(waiting)
    const told = this.#told.get(waiting.issuer)
    told?.delete(waiting)
    if (told?.size === 0) this.#told.delete(waiting.issuer)
    if (!isStill) this.#tell(waiting.issuer)
  }

  /** Of all that are told of, the one that ends first. */
  #tell(issuer: string): void {
    const { attention } = this.#options
    const told = this.#told.get(issuer)
    if (told === undefined) return attention.unlimited(issuer)
    let first: Waiting | undefined
    for (const each of told) if (first === undefined || endOf(each) < endOf(first)) first = each
    const { item, serving, wait } = first!
    attention.limited({ issuer, wanted: item.wanted, serving, wait, count: told.size })
  }
}

function endOf({ serving }: Waiting): number {
  return serving.certificate.notAfter
}
