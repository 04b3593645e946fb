import type { Policy } from '../policy.ts'
import { pathEnd } from '../uri/path.ts'
import { ownErrorAnswers, plainErrorAnswers } from './error-answers.ts'
import { answer } from './exchange/answer.ts'
import type { RequestHead } from './exchange/exchange.ts'
import { withTarget } from './exchange/retargeted-exchange.ts'
import { fieldValue } from './fields.ts'
import type { Origin } from './forwarding.ts'
import type { HttpDate } from './http-date.ts'
import { MaintainedSites } from './maintained-sites.ts'
import { canonical } from './middleware/canonical.ts'
import { certificateFields } from './middleware/client-certificate.ts'
import { Compressors } from './middleware/compressor.ts'
import { identityNames } from './middleware/identity-fields.ts'
import { forwardsLeft, lastAnswer } from './middleware/max-forwards.ts'
import { chain, type Handler, type Refuse, refuseWith } from './middleware/middleware.ts'
import { PasswordChecks } from './middleware/password-checks.ts'
import { middlewares, ownMiddlewares, type PolicyTools } from './middleware/policy.ts'
import { RateCounts, type RateCountsOptions } from './middleware/rate-counts.ts'
import { redirect } from './middleware/redirect.ts'
import { chooseRoute } from './router/route-choice.ts'
import { RouteTable } from './router/route-table.ts'
import type { MaintenanceSnapshot, RouteSnapshot, SiteAction, SiteSnapshot, UpstreamSnapshot } from './snapshot.ts'
import type { Sweeping } from './sweep.ts'
import type { Gate } from './upstream/balance/gate.ts'
import type { UpstreamConnections } from './upstream/connections.ts'
import { forward } from './upstream/forward.ts'

export type SiteHandlersOptions = {
  readonly connections: UpstreamConnections
  readonly date: HttpDate
  readonly randomBytes: (size: number) => Buffer
  readonly tellRates?: RateCountsOptions['tell'] | undefined
  readonly sweep: Sweeping
  /** The texts of error pages, by what policies call them. */
  readonly pages: Readonly<Record<string, string>>
}

/** Of a worker: 220 MB if all are of Brotli. Beyond, responses are sent as they are. */
const MAX_COMPRESSORS = 256

/** What the routes of a site have in common, found out once for all of them. */
type Shared = {
  readonly gate: Gate | undefined
  /** Names of fields that are not to come from clients, folded. */
  readonly identity: ReadonlySet<string>
}

/**
 * What each site does with its requests, settled when its first one comes: of thousands of sites most are not asked for in
 * an hour, and what each request would have to find out otherwise is found out once.
 */
export class SiteHandlers {
  readonly #options: SiteHandlersOptions
  readonly #maintained: MaintainedSites
  readonly #compressors = new Compressors(MAX_COMPRESSORS)
  readonly #bySite = new Map<SiteSnapshot, Handler>()
  readonly #gates = new Map<SiteSnapshot | RouteSnapshot, Gate>()
  /** What clients have used of their limits. */
  readonly rates: RateCounts
  readonly #passwords: PasswordChecks

  constructor(options: SiteHandlersOptions) {
    this.#options = options
    this.#maintained = new MaintainedSites(options.sweep)
    this.rates = new RateCounts({ tell: options.tellRates })
    this.#passwords = new PasswordChecks(options)
  }

  of(site: SiteSnapshot): Handler {
    return this.#bySite.get(site) ?? this.#settle(site)
  }

  /** Requests that come from now on meet the site so. */
  changeMaintenance(site: SiteSnapshot, maintenance: MaintenanceSnapshot | undefined): void {
    this.#bySite.delete(site)
    this.#maintained.change(site, maintenance)
  }

  #settle(site: SiteSnapshot): Handler {
    const gate = this.#gateOf(site)
    const identity = identityNames(site)
    const otherwise = this.#handler(site, site, { route: undefined, gate, identity })
    const inner = site.routes.length === 0 ? otherwise : this.#routed(site, otherwise, { gate, identity })
    const handler = site.isCanonical
      ? canonical(site.name, this.#options.date, ownMiddlewares(site.policy))(inner)
      : inner
    this.#bySite.set(site, handler)
    return handler
  }

  /** What bounds the requests of a site or a route that are under way: the same whenever it is settled anew. */
  #gateOf(of: SiteSnapshot | RouteSnapshot): Gate | undefined {
    if (of.concurrency === undefined) return undefined
    const gate = this.#gates.get(of) ?? this.#options.connections.openGate(of.concurrency)
    this.#gates.set(of, gate)
    return gate
  }

  /** For a site, or one of its routes, which `route` tells from the others. */
  #handler(
    { action, policy }: Pick<RouteSnapshot, 'action' | 'policy'>,
    site: SiteSnapshot,
    { route, gate, identity }: Shared & { readonly route: string | undefined },
  ): Handler {
    const tools = this.#toolsOf(policy, site)
    const place = { site: site.name, route, identity, tls: site.tls }
    return chain(middlewares(policy, tools, place), this.#last(action, tools, gate))
  }

  #toolsOf({ errors }: Policy, site: SiteSnapshot): PolicyTools {
    const { date, pages, connections } = this.#options
    const errorAnswers = errors === undefined ? plainErrorAnswers(date) : ownErrorAnswers(errors, pages, date)
    return {
      date,
      errorAnswers,
      refuse: refuseWith(errorAnswers),
      compressors: this.#compressors,
      maintenance: this.#maintained.of(site),
      rates: this.rates,
      passwords: this.#passwords,
      connections,
    }
  }

  /** Refuses what has not come to a route, in the way of the site. */
  #refuseFor(site: SiteSnapshot): Refuse {
    const { policy } = site
    const { refuse } = this.#toolsOf(policy, site)
    const own = ownMiddlewares(policy)
    return (exchange, facts, refusal) => chain(own, (seen, known) => refuse(seen, known, refusal))(exchange, facts)
  }

  /** What finally answers. */
  #last(action: SiteAction, tools: PolicyTools, gate: Gate | undefined): Handler {
    const { date, refuse } = tools
    switch (action.type) {
      case 'proxy':
        return this.#forwarding(action.upstream, tools, gate)
      case 'redirect':
        return (exchange, { record }) =>
          answer(exchange, redirect(exchange.request.target, action.to, action.status, date.now()), record)
      case 'respond':
        return (exchange, { record }) => {
          const { status, fields, body } = action
          answer(exchange, { status, fields: ['Date', date.now(), ...fields], text: body }, record)
        }
      case 'none':
        return (exchange, facts) => refuse(exchange, facts, { status: 404, why: 'route-unknown' })
      default:
        return action satisfies never
    }
  }

  #forwarding(upstream: UpstreamSnapshot, { errorAnswers }: PolicyTools, gate: Gate | undefined): Handler {
    const { connections, date, randomBytes } = this.#options
    return (exchange, { site, route, origin, requestId, record }) => {
      const { request } = exchange
      if (forwardsLeft(request) === 0) return answer(exchange, lastAnswer(request.method, date.now()), record)
      const { forwarded, via } = site
      const prefix = prefixOf(request, origin, route)
      const certificate = certificateFields(exchange, site)
      const told = { origin, requestId, forwarded, via, prefix, certificate }
      forward(exchange, upstream, { told, connections, date, errorAnswers, randomBytes, record, gate })
    }
  }

  #routed(site: SiteSnapshot, otherwise: Handler, { gate, identity }: Shared): Handler {
    const table = new RouteTable(site.routes)
    const refuse = this.#refuseFor(site)
    const handlers = new Map<RouteSnapshot | undefined, Handler>([
      [undefined, this.#unrouted(site, table, otherwise, refuse)],
    ])
    for (const route of site.routes) {
      const { path, methods, headers } = route
      const own = { route: JSON.stringify([path, methods, headers]), gate: this.#gateOf(route) ?? gate }
      handlers.set(route, this.#handler(route, site, { ...own, identity }))
    }
    return (exchange, facts) => {
      const { request } = exchange
      const choice = chooseRoute(table, request.target, request)
      if (choice.type === 'ambiguous') return refuse(exchange, facts, { status: 400, why: 'path-ambiguous' })
      const { route, target } = choice
      const seen = target === request.target ? exchange : withTarget(exchange, target)
      handlers.get(route)!(seen, route === undefined ? facts : { ...facts, route })
    }
  }

  /** Where there is nothing but routes, one that takes the path with another method says so (RFC 9110 §15.5.6). */
  #unrouted({ action }: SiteSnapshot, table: RouteTable, otherwise: Handler, refuse: Refuse): Handler {
    if (action.type !== 'none') return otherwise
    return (exchange, facts) => {
      const { request } = exchange
      const path = request.target.slice(0, pathEnd(request.target))
      const methods = table.methods(path, request)
      if (methods.length === 0) return otherwise(exchange, facts)
      refuse(exchange, facts, { status: 405, why: 'method-not-routed', fields: ['Allow', methods.join(', ')] })
    }
  }
}

/** What the path has lost on its way: to a proxy in front that tells so, and here. */
function prefixOf(
  { fields }: Pick<RequestHead, 'fields'>,
  { isFromProxy }: Origin,
  route: RouteSnapshot | undefined,
): string | undefined {
  const before = isFromProxy ? fieldValue(fields, 'x-forwarded-prefix') : undefined
  const here = route?.stripPrefix
  return before === undefined || here === undefined ? (before ?? here) : before.replace(/\/+$/, '') + here
}
