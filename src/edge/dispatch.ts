import { performance } from 'node:perf_hooks'
import type { AccessLog } from '../telemetry/access-log.ts'
import type { Log } from '../telemetry/log.ts'
import { AddressSet } from './address-set.ts'
import type { Counters } from './counters.ts'
import { errorAnswer } from './error-page.ts'
import { answer } from './exchange/answer.ts'
import type { Exchange, Outcome } from './exchange/exchange.ts'
import { type Origin, originOf } from './forwarding.ts'
import { type Host, parseHost } from './host.ts'
import type { HttpDate } from './http-date.ts'
import { announcesMore, withContentLimit } from './middleware/content-limit.ts'
import { applyHsts } from './middleware/hsts.ts'
import type { Http01Answers } from './middleware/http-01.ts'
import { httpsOrigin, PERMANENT_REDIRECT, redirect } from './middleware/redirect.ts'
import { RequestIds } from './request-id.ts'
import { covers, Router } from './router.ts'
import type { EdgeSnapshot, SiteSnapshot, UpstreamSnapshot } from './snapshot.ts'
import type { UpstreamConnections } from './upstream/connections.ts'
import { forward } from './upstream/forward.ts'
import { QuietLog } from './upstream/quiet-log.ts'
import type { UpstreamError } from './upstream/upstream-error.ts'

type OnEnd = (outcome: Outcome) => void

export type DispatchOptions = {
  readonly snapshot: EdgeSnapshot
  readonly http01: Http01Answers
  readonly connections: UpstreamConnections
  readonly date: HttpDate
  readonly randomBytes: (size: number) => Buffer
  readonly log: Log
  readonly counters: Pick<Counters, 'request' | 'upstreamFailure'>
  /** undefined where the access log is off. */
  readonly accessLog: AccessLog | undefined
}

/** A request that a site takes. */
type Target = {
  readonly host: Host
  readonly origin: Origin
  readonly site: SiteSnapshot
  readonly requestId: string
  readonly onEnd: OnEnd
}

/** Decides what becomes of each request, in this order: challenge, site, certificate, redirect, upstream. */
export class Dispatch {
  readonly #options: DispatchOptions
  readonly #router: Router
  readonly #fallback: SiteSnapshot | undefined
  readonly #trustedProxies: AddressSet
  readonly #failures: QuietLog
  readonly #requestIds: RequestIds

  constructor(options: DispatchOptions) {
    this.#options = options
    this.#router = new Router(options.snapshot.sites)
    const { fallback } = options.snapshot
    this.#fallback = fallback === undefined ? undefined : this.#router.site(fallback)
    this.#trustedProxies = new AddressSet(options.snapshot.trustedProxies)
    this.#failures = new QuietLog(options.log)
    this.#requestIds = new RequestIds(options.randomBytes)
  }

  handle(exchange: Exchange): void {
    const { http01, date } = this.#options
    const { authority, target } = exchange.request
    const host = parseHost(authority)
    const site = host === undefined ? undefined : this.#siteFor(host, exchange)
    const origin = originOf(exchange.request, exchange.client, this.#trustedProxies)
    const requestId = this.#requestIds.of(exchange.request.fields)
    const onEnd = this.#recorder(exchange, origin, site, requestId)
    const refuse = (status: number): void => answer(exchange, errorAnswer(status, date.now(), requestId), onEnd)

    const challenge = http01.answer(target, date)
    if (challenge !== undefined) return answer(exchange, challenge, onEnd)
    // RFC 9112 §3.2: 400 for a request without a Host that can be read.
    if (host === undefined) return refuse(400)
    if (site === undefined) return refuse(404)
    if (!isCertified(exchange, host, site)) return refuse(421)
    this.#serve(applyHsts(exchange, origin.scheme, site.hsts), { host, origin, site, requestId, onEnd })
  }

  #serve(exchange: Exchange, target: Target): void {
    const { date } = this.#options
    const { host, origin, site, requestId, onEnd } = target
    const { action } = site
    if (action.type === 'redirect') return this.#redirect(exchange, action.to, action.status, onEnd)
    if (site.redirectToHttps && origin.scheme === 'http') {
      const to = httpsOrigin(host, exchange.client.localPort, this.#options.snapshot.httpsPort)
      return this.#redirect(exchange, to, PERMANENT_REDIRECT, onEnd)
    }
    const { maxBodyBytes } = site
    if (maxBodyBytes === undefined) return this.#forward(exchange, action.upstream, target)
    if (announcesMore(exchange, maxBodyBytes)) return answer(exchange, errorAnswer(413, date.now(), requestId), onEnd)
    this.#forward(withContentLimit(exchange, maxBodyBytes, { date, requestId }), action.upstream, target)
  }

  #forward(exchange: Exchange, upstream: UpstreamSnapshot, { origin, site, requestId, onEnd }: Target): void {
    const { connections, date, randomBytes } = this.#options
    const onFailure = (error: UpstreamError): void => {
      this.#options.counters.upstreamFailure(error.code)
      this.#failures.warn(site.name, error, requestId)
    }
    const { forwarded, via } = site
    const told = { origin, requestId, forwarded, via }
    forward(exchange, upstream, { told, connections, date, randomBytes, onFailure, onEnd })
  }

  #redirect(exchange: Exchange, to: string, status: number, onEnd: OnEnd): void {
    answer(exchange, redirect(exchange.request.target, to, status, this.#options.date.now()), onEnd)
  }

  #siteFor(host: Host, { client }: Exchange): SiteSnapshot | undefined {
    return this.#router.site(host.name) ?? (client.usesFallback ? this.#fallback : undefined)
  }

  /** What counts the request once it has ended, and enters it into the access log. */
  #recorder(
    { request }: Exchange,
    { clientAddress }: Origin,
    site: SiteSnapshot | undefined,
    requestId: string,
  ): OnEnd {
    const { accessLog, counters } = this.#options
    const startedAt = performance.now()
    return ({ status, bytes }) => {
      const durationMs = performance.now() - startedAt
      counters.request(request.version, status, durationMs, bytes)
      if (accessLog === undefined) return
      const entry = {
        client: clientAddress,
        site: site?.name,
        host: request.authority,
        method: request.method,
        target: request.target,
        version: request.version,
        status,
        bytes,
        requestId,
        durationMs: Math.round(durationMs * 10) / 10,
      }
      accessLog(entry, request.fields)
    }
  }
}

/**
 * Whether the certificate that this connection was opened with covers the host (RFC 9110 §7.4). A browser reuses a
 * connection for every name on its certificate, and must not reach any other site through it.
 */
function isCertified({ client }: Exchange, host: Host, site: SiteSnapshot): boolean {
  if (client.certificateNames === undefined) return true
  if (client.usesFallback && !site.names.includes(host.name)) return true
  return covers(client.certificateNames, host.name)
}
