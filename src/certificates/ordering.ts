import { describeError } from '../errors.ts'
import type { Issuer } from '../issuers/issuer.ts'
import type { Clock } from '../system/clock.ts'
import type { Random } from '../system/random.ts'
import { longestWait } from './attempt.ts'
import type { Attention } from './attention.ts'
import { isBareLeaf } from './bare-leaf.ts'
import type { CaWatch } from './ca-watch.ts'
import { Herd } from './herd.ts'
import type { Inventory, Item } from './inventory.ts'
import { IssuanceError, issueFromAny } from './issuance.ts'
import { openTab, type Tab } from './ledger/tab.ts'
import type { Outages } from './outages.ts'
import { unpackChain } from './packed-certificate.ts'
import type { Placement } from './placement.ts'
import { expectedRenewal, type Order, renewalTime, timeOf } from './plan.ts'
import type { Progress } from './progress.ts'
import { factsOfStored, type StoredCertificate } from './record.ts'
import type { Staples } from './staples.ts'
import type { Trials } from './trials.ts'
import type { WantedCertificate } from './wanted.ts'
import { conclude } from './wish.ts'

/** The issuer that is asked first, and what it spends. */
type First = { readonly issuer: Issuer; readonly tab: Tab }

export type OrderingOptions = {
  readonly issuers: ReadonlyMap<string, Issuer>
  readonly clock: Clock
  readonly random: Random
  readonly inventory: Inventory
  readonly placement: Placement
  readonly progress: Progress
  readonly attention: Attention
  readonly staples: Staples
  readonly trials: Trials
  readonly outages: Outages
  readonly watch: CaWatch
  /** Asked before each order. Throws if it is not to be ordered any more, which then counts as a failure. */
  readonly mayOrder?: ((wanted: WantedCertificate, signal: AbortSignal) => Promise<void>) | undefined
  /** Something about what is not being ordered has changed. */
  readonly changed: (item: Item) => void
  /** It serves, and all that is left to do is to look whether it does so well. */
  readonly answered: (item: Item) => void
  /** It is there, and may be long in coming to serve. */
  readonly putAside: (item: Item) => void
  /** What serves has changed, or why something does not. */
  readonly onChange: () => void
  /** Aborted when the program stops. */
  readonly signal: AbortSignal
}

/** After so many tries, or with no more than this left, an issuer that may recover is waited for no longer. */
const MAX_PATIENT_FAILURES = 2
const PATIENCE_MS = 24 * 60 * 60 * 1000

/** The way of one certificate from being due to being served, or to its next try. */
export class Ordering {
  readonly #options: OrderingOptions
  /** Issuers whose certificates come alone: the operator knows. */
  readonly #saidAlone = new Set<string>()
  /** Made with the first certificate, which may take a moment where there are very many. */
  #herd: Herd | undefined

  constructor(options: OrderingOptions) {
    this.#options = options
  }

  /** Never rejects. What it spends at the issuer that is asked first is noted before this returns. */
  run(item: Item, step: Order, now: number): Promise<void> {
    const { inventory, outages } = this.#options
    const { wanted, wish } = item
    const isForced = wish !== undefined
    const asked = inventory.issuersFor(item)
    const first = this.#openFirst(item, asked, now)
    const issuer = first?.issuer ?? asked[0]!
    for (const { name } of isForced ? asked : [issuer]) outages.admit(name, wanted.id, { isForced })
    return this.#order(item, step, issuer.name, first)
  }

  /** What the first issuer spends that will be asked is noted at once, before another order is looked at. */
  #openFirst(item: Item, asked: readonly Issuer[], now: number): First | undefined {
    const { inventory } = this.#options
    const { limits } = inventory.ledger
    const issuer = asked.find((each) => limits.wait(inventory.orderOf(item, each, now), now) === undefined)
    return issuer && { issuer, tab: this.#openTab(item, issuer) }
  }

  async #order(item: Item, step: Order, issuer: string, first: First | undefined): Promise<void> {
    const { inventory, progress, mayOrder, signal } = this.#options
    const { wanted } = item
    progress.requested(wanted, issuer, step.because)
    await inventory.attempts.begin(wanted.id)
    try {
      await mayOrder?.(wanted, signal)
      const issued = await this.#issueMost(item, first)
      first?.tab.leave()
      if (issued === undefined) await this.#keepAsItIs(item)
      else await this.#swapIn(item, issued, step.type)
    } catch (error) {
      // Given up as the program stops, it stays noted as begun, as after a crash.
      if (signal.aborted) return
      first?.tab.leave()
      await this.#fail(item, step.type, error)
    }
  }

  #openTab(item: Item, issuer: Issuer): Tab {
    const { inventory, clock } = this.#options
    return openTab(inventory.ledger, inventory.orderOf(item, issuer, clock.now()), clock)
  }

  /** For as many of the names as can have one: each round is an order, and has a tab of its own. */
  async #issueMost(item: Item, first: First | undefined): Promise<StoredCertificate | undefined> {
    const { inventory, staples, clock, changed } = this.#options
    const { held, wanted } = item
    const replacesRevoked =
      held !== undefined && (held.revokedByHand ?? staples.revocation(held.certificate)) !== undefined
    const isNeeded = (): boolean => inventory.stepFor(item, clock.now()).type !== 'keep'
    const leftOut = inventory.leftOut.of(wanted.id)
    let opened = first
    const openTabAt = (issuer: Issuer): Tab => {
      if (issuer !== opened?.issuer) return this.#openTab(item, issuer)
      const { tab } = opened
      opened = undefined
      return tab
    }
    try {
      const issued = await inventory.leftOut.getMost(wanted, (aim) => this.#issue(item, aim, openTabAt), isNeeded)
      return issued && { ...issued, replacesRevoked, spreadAt: this.#spreadAt(item, issued) }
    } finally {
      // What is left out of one is left out of those for other keys, too.
      if (inventory.leftOut.of(wanted.id) !== leftOut) for (const each of inventory.siblingsOf(item)) changed(each)
    }
  }

  #spreadAt(item: Item, issued: StoredCertificate): number | undefined {
    const { inventory, issuers, clock, random } = this.#options
    const isSuggesting = issuers.get(issued.issuer)?.renewalInfo !== undefined
    const dueAt = expectedRenewal(factsOfStored(issued), isSuggesting)
    const newcomer = { all: inventory.items.length, now: clock.now(), dueAt }
    this.#herd ??= this.#countAll()
    return this.#herd.joined(item, newcomer, random)
  }

  #countAll(): Herd {
    const { inventory } = this.#options
    const herd = new Herd()
    for (const item of inventory.items) {
      const facts = inventory.factsOf(item)
      if (facts !== undefined) herd.expect(item, renewalTime(facts))
    }
    return herd
  }

  #issue({ held }: Item, aim: WantedCertificate, openTabAt: (issuer: Issuer) => Tab): Promise<StoredCertificate> {
    const { issuers, clock, inventory, progress, watch, outages, signal } = this.#options
    const { attempts, leftOut } = inventory
    const now = clock.now()
    const circumstances = {
      held,
      isInsistent: attempts.isInsistent(aim.id) || leftOut.isInsistent(aim.id, now),
      isPatient: isGoodUntil(held, now + PATIENCE_MS) && (attempts.of(aim.id)?.failures ?? 0) < MAX_PATIENT_FAILURES,
      openTab: openTabAt,
    }
    return issueFromAny(aim, circumstances, issuers, { clock, progress, watch, outages }, signal)
  }

  async #swapIn(item: Item, issued: StoredCertificate, type: Order['type']): Promise<void> {
    const { inventory, placement, progress, attention, trials, answered, putAside, onChange } = this.#options
    const { wanted } = item
    const { certificate } = issued
    const isRenewal = item.held !== undefined
    const placed = await placement.place(item, issued, () => putAside(item))
    answered(item)
    const isRight = await placement.prove(placed)
    if (isRenewal && isRight) trials.succeeded(item)
    else if (isRenewal) trials.failed(item)
    await inventory.attempts.succeed(wanted.id)
    progress.received(wanted, issued, type)
    this.#lookForIssuer(wanted, issued)
    attention.obtained(wanted, issued.issuer)
    // An operator may have had it revoked in the meantime: then what was asked for is its successor.
    if (item.held?.revokedByHand === undefined)
      conclude(item, { status: 'obtained', issuer: issued.issuer, notAfter: certificate.notAfter })
    if (wanted.mustStaple && !certificate.mustStaple) progress.withoutMustStaple(wanted, issued)
    onChange()
  }

  /** The root of a CA of our own is what its clients know. */
  #lookForIssuer(wanted: WantedCertificate, issued: StoredCertificate): void {
    const { issuers, progress } = this.#options
    const { issuer, packed } = issued
    if (issuers.get(issuer)?.accountFor === undefined || packed.issuers.length > 0) return
    if (this.#saidAlone.has(issuer) || !isBareLeaf(unpackChain(packed))) return
    this.#saidAlone.add(issuer)
    progress.alone(wanted, issued)
  }

  async #keepAsItIs(item: Item): Promise<void> {
    const { inventory, progress, attention, clock } = this.#options
    const { attempts, leftOut } = inventory
    const { wanted } = item
    await attempts.succeed(wanted.id)
    attention.settled(wanted)
    progress.kept(wanted, leftOut.of(wanted.id))
    item.orderedSince = undefined
    const step = inventory.stepFor(item, clock.now())
    const names = leftOut.of(wanted.id).map(({ name }) => name)
    conclude(item, { status: 'not-due', renewAt: timeOf(step), because: `${names.join(', ')} cannot be had yet` })
  }

  async #fail(item: Item, type: Order['type'], error: unknown): Promise<void> {
    const { inventory, progress, attention, trials, clock, changed, onChange } = this.#options
    const { wanted } = item
    const reason = describeError(error)
    const { attempts } = inventory
    const { retryAfterMs, concernsNames, isForesight, isOutage, unpauseUrl } =
      error instanceof IssuanceError
        ? error
        : { retryAfterMs: 0, concernsNames: false, isForesight: false, isOutage: false }
    if (isOutage) return this.#putOff(item, reason)
    if (!concernsNames) trials.failed(item)
    if (isForesight) await attempts.postpone(wanted.id, reason)
    else if (unpauseUrl !== undefined) await attempts.pause(wanted.id, reason, unpauseUrl)
    else
      await attempts.fail(wanted.id, {
        reason,
        retryAfterMs,
        longestMs: item.held && longestWait(item.held.certificate),
      })
    // Or else a dual site would fail the same validation twice in a row, and sooner meet the CA's limit for it.
    const siblings = concernsNames ? inventory.dueSiblingsOf(item, clock.now()) : []
    for (const sibling of siblings) {
      await attempts.share(wanted.id, sibling.wanted.id)
      changed(sibling)
    }
    for (const each of [item, ...siblings]) this.#concludeFailed(each, reason)
    const alsoWaiting = siblings.map((sibling) => sibling.wanted.keyKind)
    const next = unpauseUrl === undefined ? { at: this.#nextAt(item) } : { unpauseUrl }
    const serving = item.held ?? item.standIns[0]?.stored
    progress.failed(wanted, { type, serving, reason, next, alsoWaiting })
    const failure = { error, count: attempts.countOf(wanted.id), serving, next }
    attention.failed(wanted, { ...failure, siblings: siblings.map((sibling) => sibling.wanted) })
    item.orderedSince = undefined
    onChange()
  }

  async #putOff(item: Item, reason: string): Promise<void> {
    const { inventory, progress, onChange } = this.#options
    await inventory.attempts.forgive(item.wanted.id)
    this.#concludeFailed(item, reason)
    item.orderedSince = undefined
    progress.putOff(item.wanted, reason)
    onChange()
  }

  /** Without the wish: what was asked for by hand is tried once, and is due again when it would have been. */
  #concludeFailed(item: Item, reason: string): void {
    const { wish } = item
    item.wish = undefined
    const nextAt = this.#nextAt(item)
    wish?.resolve({ status: 'failed', reason, ...(Number.isFinite(nextAt) && { nextAt }) })
  }

  /** Of the next try; Infinity if there is none by itself. */
  #nextAt(item: Item): number {
    const { inventory, clock } = this.#options
    return timeOf(inventory.stepFor(item, clock.now()))
  }
}

function isGoodUntil(held: StoredCertificate | undefined, time: number): boolean {
  return held !== undefined && held.certificate.notAfter > time
}
