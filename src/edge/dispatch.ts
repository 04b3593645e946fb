import { AddressSet } from './address-set.ts'
import { errorAnswer } from './error-page.ts'
import { answer } from './exchange/answer.ts'
import type { Exchange } from './exchange/exchange.ts'
import { originOf } from './forwarding.ts'
import { type Host, parseHost } from './host.ts'
import type { HttpDate } from './http-date.ts'
import { applyHsts } from './middleware/hsts.ts'
import type { Http01Answers } from './middleware/http-01.ts'
import { type RequestFacts, refuseWith } from './middleware/middleware.ts'
import type { RateUse } from './middleware/rate-counts.ts'
import { httpsOrigin, PERMANENT_REDIRECT, redirect } from './middleware/redirect.ts'
import type { Recorder, RequestRecord } from './recorder.ts'
import { RequestIds } from './request-id.ts'
import { covers, type Router } from './router/router.ts'
import { SiteHandlers } from './site-handlers.ts'
import type { EdgeSnapshot, HstsChange, SiteSnapshot } from './snapshot.ts'
import type { UpstreamConnections } from './upstream/connections.ts'

export type DispatchOptions = {
  readonly snapshot: EdgeSnapshot
  /** Of the snapshot's sites. */
  readonly router: Router
  readonly http01: Http01Answers
  readonly connections: UpstreamConnections
  readonly date: HttpDate
  readonly randomBytes: (size: number) => Buffer
  readonly recorder: Pick<Recorder, 'begin'>
  /** Tells other workers what clients have used of their limits. */
  readonly tellRates?: ((uses: readonly RateUse[]) => void) | undefined
}

/** What is refused here, with its status and the word for it in the access log. */
const REFUSALS = {
  /** RFC 9112 §3.2: a request without a Host that can be read. */
  'host-invalid': 400,
  'site-unknown': 404,
  'host-not-certified': 421,
} as const

/** Decides what becomes of each request, in this order: challenge, site, certificate, HTTPS, and then what the site says. */
export class Dispatch {
  readonly #options: DispatchOptions
  readonly #router: Router
  readonly #fallback: SiteSnapshot | undefined
  readonly #trustedProxies: AddressSet
  readonly #requestIds: RequestIds
  readonly #handlers: SiteHandlers

  constructor(options: DispatchOptions) {
    this.#options = options
    this.#router = options.router
    const { fallback } = options.snapshot
    this.#fallback = fallback === undefined ? undefined : this.#router.site(fallback)
    this.#trustedProxies = new AddressSet(options.snapshot.trustedProxies)
    this.#requestIds = new RequestIds(options.randomBytes)
    this.#handlers = new SiteHandlers({ ...options, refuse: refuseWith(options.date) })
  }

  /** Requests that come from now on are answered so. */
  changeHsts(changes: readonly HstsChange[]): void {
    for (const { site: name, field } of changes) {
      const site = this.#router.site(name)
      if (site?.name === name) site.hsts = field
    }
  }

  /** What clients have used of their limits with other workers. */
  addRates(uses: readonly RateUse[]): void {
    this.#handlers.rates.add(uses)
  }

  handle(exchange: Exchange): void {
    const { http01, date } = this.#options
    const { authority, target } = exchange.request
    const host = parseHost(authority)
    const site = host === undefined ? undefined : this.#siteFor(host, exchange)
    const origin = originOf(exchange.request, exchange.client, this.#trustedProxies)
    const requestId = this.#requestIds.of(exchange.request.fields)
    const record = this.#options.recorder.begin(exchange, origin.clientAddress, site?.name, requestId)

    const challenge = http01.answer(target, date)
    if (challenge !== undefined) {
      if (challenge.status === 404) record.why = 'challenge-unknown'
      return answer(exchange, challenge, record)
    }
    if (host === undefined) return this.#refuse(exchange, 'host-invalid', record)
    if (site === undefined) return this.#refuse(exchange, 'site-unknown', record)
    if (!isCertified(exchange, host, site)) return this.#refuse(exchange, 'host-not-certified', record)
    const facts = { host, origin, site, route: undefined, requestId, record }
    this.#serve(applyHsts(exchange, origin.scheme, site.hsts), facts)
  }

  #refuse(exchange: Exchange, why: keyof typeof REFUSALS, record: RequestRecord): void {
    record.why = why
    answer(exchange, errorAnswer(REFUSALS[why], this.#options.date.now(), record.requestId), record)
  }

  #serve(exchange: Exchange, facts: RequestFacts): void {
    const { host, origin, site, record } = facts
    if (site.redirectToHttps && origin.scheme === 'http' && site.action.type !== 'redirect') {
      const to = httpsOrigin(host, exchange.client.localPort, this.#options.snapshot.httpsPort)
      const date = this.#options.date.now()
      return answer(exchange, redirect(exchange.request.target, to, PERMANENT_REDIRECT, date), record)
    }
    this.#handlers.of(site)(exchange, facts)
  }

  #siteFor(host: Host, { client }: Exchange): SiteSnapshot | undefined {
    return this.#router.site(host.name) ?? (client.usesFallback ? this.#fallback : undefined)
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
