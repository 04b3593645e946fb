import type { LookupFunction } from 'node:net'
import { isDeepStrictEqual } from 'node:util'
import type { Metric } from '../../admin/metrics-text.ts'
import { type OperatedUpstreams, type UpstreamReport, UpstreamUnknownError } from '../../admin/upstream-report.ts'
import type { Site, Upstream } from '../../config/config.ts'
import type { UpstreamKnowledge } from '../../edge/snapshot.ts'
import { checkIdOf, peersOf } from '../../edge/upstream/balance/peers.ts'
import type { TargetReport } from '../../edge/upstream/balance/target-report.ts'
import { lookupUpstream } from '../../edge/upstream/names.ts'
import { formatUpstream } from '../../edge/upstream/upstream-name.ts'
import type { Clock } from '../../system/clock.ts'
import type { Random } from '../../system/random.ts'
import type { Log } from '../../telemetry/log.ts'
import { upstreamMetrics } from '../metrics.ts'
import { AddressWatch } from './address-watch.ts'
import { type CheckHealth, createHealthCheck } from './health-check.ts'
import { type Checked, type Finding, HealthChecks } from './health-checks.ts'

export type UpstreamWatchOptions = {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly lookup?: LookupFunction
  readonly check?: CheckHealth
  /** The workers are to be told. */
  readonly onChange: (knowledge: UpstreamKnowledge) => void
  /** A report of each worker. */
  readonly reportTargets: () => Promise<readonly (readonly TargetReport[])[]>
}

/** What another program has to know that takes over. */
export type UpstreamState = {
  readonly drained: readonly (readonly [url: string, since: number])[]
  readonly findings: readonly (readonly [question: string, finding: Finding])[]
  readonly addresses: UpstreamKnowledge['addresses']
}

/** Whether upstreams of these sites are sticky: then there must be a key for their cookies. */
export function areSticky(sites: readonly Site[]): boolean {
  return [...upstreamsOf(sites).keys()].some(({ balancing }) => balancing.sticky !== undefined)
}

/**
 * Looks after the upstreams for all workers: whether they are well, which addresses they have, and which of them an operator
 * drains. Drained ones stay so over the lives of workers and configs, as long as they are configured, up to a restart of the
 * program.
 */
export class UpstreamWatch implements OperatedUpstreams {
  readonly #options: UpstreamWatchOptions
  #upstreams: Upstreams = new Map()
  /** Those of a config that is about to come into use: undefined if there is none. */
  #coming: Upstreams | undefined
  #cookieKey = ''
  readonly #addresses: AddressWatch
  readonly #checks: HealthChecks
  /** By URL: since when. */
  readonly #drained = new Map<string, number>()

  constructor(options: UpstreamWatchOptions) {
    const { clock, random, log, lookup = lookupUpstream, check = createHealthCheck(clock) } = options
    this.#options = options
    this.#checks = new HealthChecks({ check, clock, random, log, onChange: () => this.#tell() })
    const onChange = (): void => {
      this.#checks.use(this.#checked())
      this.#tell()
    }
    this.#addresses = new AddressWatch({ lookup, clock, random, log, onChange })
  }

  /** Takes over from a program that has looked after upstreams until now. To be called before all else. */
  inherit({ drained, findings, addresses }: UpstreamState): void {
    for (const [url, since] of drained) this.#drained.set(url, since)
    this.#checks.inherit(findings)
    this.#addresses.inherit(addresses)
  }

  get state(): UpstreamState {
    const { addresses } = this.#addresses
    return { drained: [...this.#drained], findings: this.#checks.findings, addresses }
  }

  /**
   * Looks after the upstreams of another config besides, so that workers that start for it know all of it before they accept.
   * `settle` or `forgo` follows.
   *
   * @param cookieKey what sticky cookies are made with (base64), where there are any.
   */
  prepare(sites: readonly Site[], cookieKey?: string): void {
    this.#coming = upstreamsOf(sites)
    this.#cookieKey = cookieKey ?? this.#cookieKey
    this.#look()
  }

  /** That config is in use now, and the former is not: its upstreams are nobody's business any more. */
  settle(): void {
    const before = this.knowledge
    this.#upstreams = this.#coming ?? this.#upstreams
    this.#coming = undefined
    this.#look()
    const listed = this.#listed()
    for (const url of this.#drained.keys()) if (!listed.has(url)) this.#drained.delete(url)
    if (!isDeepStrictEqual(before, this.knowledge)) this.#tell()
  }

  /** It does not come to that. */
  forgo(): void {
    this.#coming = undefined
    this.#look()
  }

  stop(): void {
    this.#addresses.stop()
    this.#checks.stop()
  }

  /** All that a worker must know. */
  get knowledge(): UpstreamKnowledge {
    const { addresses } = this.#addresses
    return { cookieKey: this.#cookieKey, down: this.#checks.down, drained: [...this.#drained.keys()], addresses }
  }

  async drain(url: string): Promise<UpstreamReport[]> {
    const known = this.#known(url)
    if (!this.#drained.has(known)) {
      this.#drained.set(known, this.#options.clock.now())
      this.#options.log.info('upstream-draining', `Asked by hand to drain ${known}: it gets no more requests.`, {
        upstream: known,
      })
      this.#tell()
    }
    return (await this.report()).filter((report) => report.url === known)
  }

  async undrain(url: string): Promise<UpstreamReport[]> {
    const known = this.#known(url)
    if (this.#drained.delete(known)) {
      this.#options.log.info('upstream-undrained', `Asked by hand to give requests to ${known} again.`, {
        upstream: known,
      })
      this.#tell()
    }
    return (await this.report()).filter((report) => report.url === known)
  }

  async report(): Promise<UpstreamReport[]> {
    const seen = await this.#options.reportTargets()
    return [...this.#listed().values()].map((listed) => this.#reportOf(listed, seen.flat()))
  }

  get metrics(): Metric[] {
    return upstreamMetrics(this.#checks.standings, [...this.#drained.keys()])
  }

  #tell(): void {
    this.#options.onChange(this.knowledge)
  }

  get #all(): Upstream[] {
    return [...this.#upstreams.keys(), ...(this.#coming?.keys() ?? [])]
  }

  #look(): void {
    this.#addresses.use(new Set(this.#all.flatMap(namesToWatch)))
    this.#checks.use(this.#checked())
  }

  /** As it is listed, whatever slash or case it is written with. Throws UpstreamUnknownError. */
  #known(url: string): string {
    const urls = [...this.#listed().keys()]
    const plain = (text: string): string => text.replace(/\/$/, '').toLowerCase()
    const known = urls.find((each) => each === url) ?? urls.find((each) => plain(each) === plain(url))
    if (known === undefined) throw new UpstreamUnknownError(url, urls)
    return known
  }

  #checked(): Map<string, Checked> {
    const checked = new Map<string, Checked>()
    for (const upstream of this.#all) {
      const { health } = upstream.balancing
      if (health === undefined) continue
      for (const { peer } of peersOf(upstream, this.#addresses.addresses))
        checked.set(checkIdOf(peer, health), { peer, health })
    }
    return checked
  }

  #listed(): Map<string, Listed> {
    const listed = new Map<string, Listed>()
    for (const [upstream, sites] of this.#upstreams)
      for (const { peer, weight } of peersOf(upstream, this.#addresses.addresses)) {
        const url = formatUpstream(peer.address)
        listed.set(url, { url, weight, sites: new Set([...(listed.get(url)?.sites ?? []), ...sites]) })
      }
    return listed
  }

  #reportOf({ url, weight, sites }: Listed, seen: readonly TargetReport[]): UpstreamReport {
    const own = seen.filter((each) => each.url === url)
    const sum = (count: (each: TargetReport) => number): number => own.reduce((total, each) => total + count(each), 0)
    const underWay = sum((each) => each.underWay)
    const requests = sum((each) => each.requests)
    const failures = sum((each) => each.failures)
    const isLeftOut = own.some((each) => each.isLeftOut)
    return { url, weight, sites: [...sites], ...this.#standing(url, underWay, isLeftOut), underWay, requests, failures }
  }

  #standing(url: string, underWay: number, isLeftOut: boolean): Pick<UpstreamReport, 'state' | 'since' | 'why'> {
    const drainedSince = this.#drained.get(url)
    if (drainedSince !== undefined)
      return { state: underWay > 0 ? 'draining' : 'drained', since: drainedSince, why: 'asked by hand' }
    const checks = this.#checks.standings.filter((each) => each.url === url)
    const bad = checks.find(({ isUp }) => !isUp)
    if (bad !== undefined) return { state: 'down', since: bad.since, why: bad.why }
    if (isLeftOut) return { state: 'left-out', since: undefined, why: 'it fails again and again' }
    return { state: checks.length > 0 ? 'up' : 'unchecked', since: checks[0]?.since, why: undefined }
  }
}

/** With the first names of the sites that have them. */
type Upstreams = ReadonlyMap<Upstream, ReadonlySet<string>>

type Listed = { readonly url: string; readonly weight: number; readonly sites: ReadonlySet<string> }

/** The names each of whose addresses counts. */
function namesToWatch({ balancing, targets }: Upstream): string[] {
  return balancing.everyAddress ? targets.flatMap(({ address }) => ('host' in address ? [address.host] : [])) : []
}

/** Each upstream once, with the sites that have it. */
function upstreamsOf(sites: readonly Site[]): Map<Upstream, Set<string>> {
  const found = new Map<Upstream, Set<string>>()
  for (const { name, action, routes } of sites)
    for (const each of [action, ...routes.map((route) => route.action)]) {
      if (each.type !== 'proxy') continue
      const known = found.get(each.upstream)
      if (known === undefined) found.set(each.upstream, new Set([name]))
      else known.add(name)
    }
  return found
}
