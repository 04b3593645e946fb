import { pathEnd } from '../uri/path.ts'
import { answer } from './exchange/answer.ts'
import type { RequestHead } from './exchange/exchange.ts'
import { withTarget } from './exchange/retargeted-exchange.ts'
import { fieldValue } from './fields.ts'
import type { Origin } from './forwarding.ts'
import type { HttpDate } from './http-date.ts'
import { canonical } from './middleware/canonical.ts'
import { certificateFields } from './middleware/client-certificate.ts'
import { identityNames } from './middleware/identity-fields.ts'
import { forwardsLeft, lastAnswer } from './middleware/max-forwards.ts'
import { chain, type Handler, type Middleware, type Refuse } from './middleware/middleware.ts'
import { PasswordChecks } from './middleware/password-checks.ts'
import { middlewares, type PolicyPlace, type PolicyTools } from './middleware/policy.ts'
import { RateCounts, type RateCountsOptions } from './middleware/rate-counts.ts'
import { redirect } from './middleware/redirect.ts'
import { chooseRoute } from './router/route-choice.ts'
import { RouteTable } from './router/route-table.ts'
import type { RouteSnapshot, SiteAction, SiteSnapshot, UpstreamSnapshot } from './snapshot.ts'
import type { Gate } from './upstream/balance/gate.ts'
import type { UpstreamConnections } from './upstream/connections.ts'
import { forward } from './upstream/forward.ts'

export type SiteHandlersOptions = {
  readonly connections: UpstreamConnections
  readonly date: HttpDate
  readonly randomBytes: (size: number) => Buffer
  readonly refuse: Refuse
  readonly tellRates?: RateCountsOptions['tell'] | undefined
}

/**
 * What each site does with its requests, settled when its first one comes: of thousands of sites most are not asked for in
 * an hour, and what each request would have to find out otherwise is found out once.
 */
export class SiteHandlers {
  readonly #options: SiteHandlersOptions
  readonly #bySite = new Map<SiteSnapshot, Handler>()
  /** What clients have used of their limits. */
  readonly rates: RateCounts
  readonly #tools: PolicyTools

  constructor(options: SiteHandlersOptions) {
    this.#options = options
    this.rates = new RateCounts({ tell: options.tellRates })
    this.#tools = { ...options, rates: this.rates, passwords: new PasswordChecks(options) }
  }

  of(site: SiteSnapshot): Handler {
    return this.#bySite.get(site) ?? this.#settle(site)
  }

  #settle(site: SiteSnapshot): Handler {
    const gate = this.#gateOf(site)
    const otherwise = this.#handler(site, gate, {
      site: site.name,
      route: undefined,
      identity: identityNames(site),
      tls: site.tls,
    })
    const inner = site.routes.length === 0 ? otherwise : this.#routed(site, otherwise, gate)
    const outer: Middleware[] = site.isCanonical ? [canonical(site.name, this.#options.date)] : []
    const handler = chain(outer, inner)
    this.#bySite.set(site, handler)
    return handler
  }

  /** What bounds the requests of a site or a route that are under way. */
  #gateOf({ concurrency }: Pick<SiteSnapshot, 'concurrency'>): Gate | undefined {
    return concurrency && this.#options.connections.openGate(concurrency)
  }

  #handler(
    { action, policy }: Pick<SiteSnapshot, 'action' | 'policy'>,
    gate: Gate | undefined,
    place: PolicyPlace,
  ): Handler {
    return chain(middlewares(policy, this.#tools, place), this.#last(action, gate))
  }

  /** What finally answers. */
  #last(action: SiteAction, gate: Gate | undefined): Handler {
    const { date, refuse } = this.#options
    switch (action.type) {
      case 'proxy':
        return this.#forwarding(action.upstream, gate)
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

  #forwarding(upstream: UpstreamSnapshot, gate: Gate | undefined): Handler {
    const { connections, date, randomBytes } = this.#options
    return (exchange, { site, route, origin, requestId, record }) => {
      const { request } = exchange
      if (forwardsLeft(request) === 0) return answer(exchange, lastAnswer(request.method, date.now()), record)
      const { forwarded, via } = site
      const prefix = prefixOf(request, origin, route)
      const certificate = certificateFields(exchange, site)
      const told = { origin, requestId, forwarded, via, prefix, certificate }
      forward(exchange, upstream, { told, connections, date, randomBytes, record, gate })
    }
  }

  #routed(site: SiteSnapshot, otherwise: Handler, gate: Gate | undefined): Handler {
    const table = new RouteTable(site.routes)
    const handlers = new Map<RouteSnapshot | undefined, Handler>([[undefined, this.#unrouted(site, table, otherwise)]])
    const identity = identityNames(site)
    for (const route of site.routes) {
      const { path, methods, headers } = route
      const place = { site: site.name, route: JSON.stringify([path, methods, headers]), identity, tls: site.tls }
      handlers.set(route, this.#handler(route, this.#gateOf(route) ?? gate, place))
    }
    const { refuse } = this.#options
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
  #unrouted({ action }: SiteSnapshot, table: RouteTable, otherwise: Handler): Handler {
    if (action.type !== 'none') return otherwise
    const { refuse } = this.#options
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
