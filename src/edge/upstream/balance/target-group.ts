import type { Random } from '../../../system/random.ts'
import type { Log } from '../../../telemetry/log.ts'
import type { BalancingSnapshot, PeerSnapshot, UpstreamConditions, UpstreamSnapshot } from '../../snapshot.ts'
import type { Sweeping } from '../../sweep.ts'
import type { UpstreamPool } from '../pool.ts'
import { type Balanced, type Chooser, createChooser } from './chooser.ts'
import { shareOf } from './gate.ts'
import { checkIdOf, peersOf, type WeightedPeer } from './peers.ts'
import { OUTAGE_MS, type RestartClock, RestartLine } from './restart-line.ts'
import { RetryBudget } from './retry-budget.ts'
import { StickyCookie } from './sticky-cookie.ts'
import { Target } from './target.ts'
import { type Waiter, WaitingLine } from './waiting-line.ts'

export type TargetGroupOptions = {
  readonly upstream: UpstreamSnapshot
  readonly conditions: UpstreamConditions
  /** Gives the connections to a peer, which are given back when it is none of the targets any more. */
  readonly pools: { acquire(peer: PeerSnapshot): UpstreamPool; release(peer: PeerSnapshot): void }
  readonly sweep: Sweeping
  readonly restartClock: RestartClock
  readonly random: Random
  readonly log: Pick<Log, 'warn' | 'info'> | undefined
}

/** `full`: wait for a turn. `none`: there is nobody to wait for. */
export type NoTarget = 'full' | 'none'

/** The targets of one upstream in one worker, and who of them gets the next request. */
export class TargetGroup {
  readonly retries: number
  readonly restartLine: RestartLine
  readonly #options: TargetGroupOptions
  readonly #balancing: BalancingSnapshot
  readonly #chooser: Chooser
  readonly #budget: RetryBudget | undefined
  readonly #sticky: StickyCookie | undefined
  readonly #line: WaitingLine | undefined
  #targets: readonly Target[] = []
  /** The only one, where there is nothing to choose, to wait for or to look after: most upstreams are such. */
  #sole: Target | undefined
  /** Those that may get a request, for the time of one choice. */
  readonly #candidates: Target[] = []

  constructor(options: TargetGroupOptions) {
    const { upstream, random, sweep, restartClock, conditions } = options
    const { balancing } = upstream
    const { concurrency, sticky } = balancing
    this.#options = options
    this.#balancing = balancing
    this.#chooser = createChooser(balancing.balance, random)
    this.#sticky = sticky === undefined ? undefined : new StickyCookie(sticky)
    this.#line = concurrency && new WaitingLine({ sweep, length: concurrency.queue, waitMs: concurrency.waitMs })
    this.restartLine = new RestartLine(restartClock)
    const isSole = upstream.targets.length === 1 && !balancing.everyAddress
    this.retries = isSole ? 0 : balancing.retries
    this.#budget = this.retries === 0 ? undefined : new RetryBudget()
    this.change(conditions)
    if (isSole && sticky === undefined && concurrency === undefined) this.#sole = this.#targets[0]
  }

  get targets(): readonly Target[] {
    return this.#targets
  }

  /** Nobody is there, as the checks say, but somebody was a moment ago: perhaps it is only a restart. */
  get mayReturn(): boolean {
    const { now } = this.restartLine
    return this.#targets.some((each) => each.isDown && !each.isDrained && now - each.outSince < OUTAGE_MS)
  }

  /** Gives the target of a request, which counts as under way there until it is released. */
  choose(request: Balanced): Target | NoTarget {
    const sole = this.#sole
    if (sole !== undefined && !sole.isOut) {
      sole.take()
      return sole
    }
    const { now } = this.#options.sweep
    this.#budget?.request(now)
    const target = this.#choose(request, now)
    if (typeof target !== 'string') target.take()
    return target
  }

  /** Gives another target for a request that one has failed; undefined if there is none, or it would be too much. */
  chooseAgain(request: Balanced): Target | undefined {
    const { now } = this.#options.sweep
    const target = this.#choose(request, now)
    if (typeof target === 'string' || this.#budget?.spend(now) !== true) return undefined
    target.take()
    return target
  }

  /** A request is not under way there any more. */
  release(target: Target): void {
    target.underWay--
    if (this.#line !== undefined && this.#line.size > 0) this.#callWaiting()
  }

  /** Has a request wait until a target can take it; false if too many wait. */
  wait(waiter: Waiter): boolean {
    return this.#line?.join(waiter) === true
  }

  giveUp(waiter: Waiter): void {
    this.#line?.leave(waiter)
  }

  /** A target gave no usable answer. */
  failed(target: Target): void {
    target.failures++
    if (this.#sole !== undefined || this.#targets.length === 1) return
    const restMs = target.marks.fail(this.#options.sweep.now)
    if (restMs === undefined) return
    const message =
      `${target.url} fails again and again: it is left out for ${restMs / 1000} s, as long as there are others, and then ` +
      'gets its share little by little.'
    this.#options.log?.warn('upstream-left-out', message, { upstream: target.url, forMs: restMs })
  }

  /** A target has begun to answer. */
  answered(target: Target): void {
    target.pool.hasAnswered = true
    if (this.#sole === undefined) target.marks.answered(this.#options.sweep.now)
  }

  /** What to set as a cookie for whoever is answered by this target. */
  cookieFor(target: Target, { fields }: Pick<Balanced, 'fields'>, scheme: 'http' | 'https'): string | undefined {
    return this.#sticky?.fieldFor(target, fields, scheme)
  }

  /** Takes over what is known of the targets from now on. */
  change(conditions: UpstreamConditions): void {
    const { upstream, sweep } = this.#options
    const { concurrency, health } = this.#balancing
    const peers = peersOf(upstream, conditions.addresses)
    if (this.#targets.length === 0 || this.#balancing.everyAddress) this.#replaceTargets(peers)
    const drained = new Set(conditions.drained)
    const down = new Set(conditions.down)
    const { now } = this.restartLine
    let isAnyBack = false
    for (const target of this.#targets) {
      const wasOut = target.isOut
      target.isDrained = drained.has(target.url)
      target.isDown = health !== undefined && down.has(checkIdOf(target.peer, health))
      if (!wasOut && target.isOut) target.outSince = now
      if (wasOut && !target.isOut) {
        target.marks.return(sweep.now, now - target.outSince)
        isAnyBack = true
      }
      if (concurrency !== undefined) target.maxUnderWay = shareOf(concurrency.concurrent, conditions.workers)
    }
    this.#sticky?.use(this.#targets, conditions.cookieKey)
    if (isAnyBack) this.restartLine.open()
    if (this.#line === undefined) return
    this.#line.length = shareOf(concurrency!.queue, conditions.workers)
    this.#callWaiting()
  }

  #choose(request: Balanced, now: number): Target | NoTarget {
    const own = this.#sticky?.find(request.fields)
    if (own !== undefined && !own.isOut && !own.isFull && !own.marks.isMarked(now) && !request.tried.includes(own))
      return own
    const fault = this.#collect(request, now)
    return fault ?? this.#chooser.choose(this.#candidates, request, now)
  }

  /** Finds the candidates: if all fail, those that fail, for to try is better than to refuse. */
  #collect({ tried }: Balanced, now: number): NoTarget | undefined {
    const candidates = this.#candidates
    candidates.length = 0
    let [isAnyFull, isAnyMarked] = [false, false]
    for (const target of this.#targets) {
      if (target.isOut || tried.includes(target)) continue
      if (target.marks.isMarked(now)) isAnyMarked = true
      else if (target.isFull) isAnyFull = true
      else candidates.push(target)
    }
    if (candidates.length > 0) return undefined
    if (isAnyFull) return 'full'
    if (!isAnyMarked) return 'none'
    for (const target of this.#targets)
      if (!target.isOut && !target.isFull && !tried.includes(target)) candidates.push(target)
    return candidates.length > 0 ? undefined : 'full'
  }

  /** Of those that wait, as many as there is room for; each chooses for itself, and may have to wait again. */
  #callWaiting(): void {
    const line = this.#line!
    for (let left = line.size; left > 0 && this.#collect(NOTHING_TRIED, this.#options.sweep.now) !== 'full'; left--)
      line.callNext()
  }

  #replaceTargets(peers: readonly WeightedPeer[]): void {
    const { pools } = this.#options
    const former = new Map(this.#targets.map((target) => [JSON.stringify([target.peer, target.weight]), target]))
    this.#targets = peers.map(({ peer, weight }) => {
      const key = JSON.stringify([peer, weight])
      const known = former.get(key)
      if (known === undefined) return new Target({ peer, weight, pool: pools.acquire(peer), maxUnderWay: undefined })
      former.delete(key)
      return known
    })
    for (const { peer } of former.values()) pools.release(peer)
  }
}

const NOTHING_TRIED: Balanced = { fields: [], clientAddress: '', tried: [] }
