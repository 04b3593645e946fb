import { performance } from 'node:perf_hooks'
import type { AccessLog } from '../telemetry/access-log.ts'
import type { Log } from '../telemetry/log.ts'
import { AddressSet } from './address-set.ts'
import { respondWithError } from './error-page.ts'
import type { Exchange, Outcome } from './exchange.ts'
import { type Origin, originOf } from './forwarding.ts'
import { type Host, parseHost } from './host.ts'
import { applyHsts } from './middleware/hsts.ts'
import type { Http01Answers } from './middleware/http-01.ts'
import { httpsOrigin, PERMANENT_REDIRECT, redirect } from './middleware/redirect.ts'
import { covers, Router } from './router.ts'
import type { EdgeSnapshot, SiteSnapshot } from './snapshot.ts'
import type { UpstreamConnections } from './upstream/connections.ts'
import { forward } from './upstream/forward.ts'
import { QuietLog } from './upstream/quiet-log.ts'

export type DispatchOptions = {
  readonly snapshot: EdgeSnapshot
  readonly http01: Http01Answers
  readonly connections: UpstreamConnections
  readonly log: Log
  /** undefined where the access log is off. */
  readonly accessLog: AccessLog | undefined
}

/** Decides what becomes of each request, in this order: challenge, site, certificate, redirect, upstream. */
export class Dispatch {
  readonly #options: DispatchOptions
  readonly #router: Router
  readonly #fallback: SiteSnapshot | undefined
  readonly #failures: QuietLog
  readonly #trustedProxies: AddressSet

  constructor(options: DispatchOptions) {
    this.#options = options
    this.#router = new Router(options.snapshot.sites)
    const { fallback } = options.snapshot
    this.#fallback = fallback === undefined ? undefined : this.#router.site(fallback)
    this.#failures = new QuietLog(options.log)
    this.#trustedProxies = new AddressSet(options.snapshot.trustedProxies)
  }

  handle(exchange: Exchange): void {
    const startedAt = performance.now()
    const origin = originOf(exchange.request, exchange.client, this.#trustedProxies)
    const host = parseHost(exchange.request.authority)
    const site = host === undefined ? undefined : this.#siteFor(host, exchange)
    exchange.onEnd((outcome) => this.#record(exchange, origin, site, startedAt, outcome))

    if (this.#options.http01.handle(exchange)) return
    // RFC 9112 §3.2: 400 for a request without a Host that can be read.
    if (host === undefined) return respondWithError(exchange, 400)
    if (site === undefined) return respondWithError(exchange, 404)
    if (!isCertified(exchange, host, site)) return respondWithError(exchange, 421)
    applyHsts(exchange, origin.scheme, site.hsts)
    if (site.action.type === 'redirect') return redirect(exchange, site.action.to, site.action.status)
    if (site.redirectToHttps && origin.scheme === 'http') return this.#redirectToHttps(exchange, host)
    const { upstream } = site.action
    const { connections } = this.#options
    forward(exchange, upstream, { origin, connections, onFailure: (error) => this.#failures.warn(site.name, error) })
  }

  #siteFor(host: Host, { client }: Exchange): SiteSnapshot | undefined {
    return this.#router.site(host.name) ?? (client.usesFallback ? this.#fallback : undefined)
  }

  #redirectToHttps(exchange: Exchange, host: Host): void {
    redirect(
      exchange,
      httpsOrigin(host, exchange.client.localPort, this.#options.snapshot.httpsPort),
      PERMANENT_REDIRECT,
    )
  }

  #record(
    { request }: Exchange,
    { clientAddress }: Origin,
    site: SiteSnapshot | undefined,
    startedAt: number,
    outcome: Outcome,
  ): void {
    const entry = {
      client: clientAddress,
      site: site?.name,
      host: request.authority,
      method: request.method,
      target: request.target,
      version: request.version,
      status: outcome.status,
      bytes: outcome.bytes,
      durationMs: Math.round((performance.now() - startedAt) * 10) / 10,
    }
    this.#options.accessLog?.(entry, request.fields)
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
