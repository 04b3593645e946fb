import type { Config, Route, Site, Upstream } from '../../config/config.ts'
import { CHALLENGE_PREFIX } from '../../edge/middleware/http-01.ts'
import { httpsOrigin, originAt } from '../../edge/middleware/redirect.ts'
import { chooseRoute } from '../../edge/router/route-choice.ts'
import { RouteTable } from '../../edge/router/route-table.ts'
import { covers, isOnDemandName, wildcardOf } from '../../edge/router/router.ts'
import { firstPort } from '../../supervisor/edge-config.ts'
import { pathEnd } from '../../uri/path.ts'
import type { AskedRequest } from './asked-request.ts'
import { type LiveState, NONE_RUNS } from './live-state.ts'
import { explainPolicy } from './policy-words.ts'
import { addressesOf, concurrencyWords, explainUpstream, takesNothing } from './upstream-words.ts'

/** How a request would be decided. */
export type Explanation = {
  readonly steps: readonly ExplainedStep[]
  /** What the client would get, in a sentence without its end. */
  readonly outcome: string
  /** The status that Castellan itself would answer with; undefined where an app answers. */
  readonly status: number | undefined
  /** The word for it in the access log. */
  readonly why: string | undefined
}

export type ExplainedStep = { readonly step: string; readonly is: string }

/** One certificate that a client may be shown for a name. */
export type ShownCertificate = { readonly names: readonly string[]; readonly words: string }

/**
 * Says what would become of a request, with the very rules that decide it when it comes, and why.
 *
 * @param shown the certificates for the server name, best first.
 * @param live of the program that runs, if one does.
 */
export function explain(
  config: Config,
  request: AskedRequest,
  shown: readonly ShownCertificate[],
  live: LiveState = NONE_RUNS,
): Explanation {
  return new Decision(config, request, shown, live).explanation()
}

class Decision {
  readonly #config: Config
  readonly #request: AskedRequest
  readonly #shown: readonly ShownCertificate[]
  readonly #live: LiveState
  readonly #steps: ExplainedStep[] = []

  constructor(config: Config, request: AskedRequest, shown: readonly ShownCertificate[], live: LiveState) {
    this.#config = config
    this.#request = request
    this.#shown = shown
    this.#live = live
  }

  explanation(): Explanation {
    this.#listener()
    if (this.#request.scheme === 'https') {
      const refusal = this.#handshake()
      if (refusal !== undefined) return refusal
    }
    if (this.#request.target.startsWith(CHALLENGE_PREFIX)) {
      const outcome = 'Castellan itself answers, for the CA that has asked; 404 where none has'
      return this.#end(outcome, 404, 'challenge-unknown')
    }
    const site = this.#site()
    if (site === undefined) return this.#end('404: no site has this name', 404, 'site-unknown')
    if (!this.#isCertified(site)) {
      const outcome = '421: this connection was opened with a certificate that does not cover the host'
      return this.#end(outcome, 421, 'host-not-certified')
    }
    return this.#redirected(site) ?? this.#routed(site)
  }

  #note(step: string, is: string): void {
    this.#steps.push({ step, is })
  }

  #end(outcome: string, status?: number, why?: string): Explanation {
    return { steps: this.#steps, outcome, status, why }
  }

  #listener(): void {
    const { scheme, port = scheme === 'https' ? 443 : 80 } = this.#request
    const addresses = this.#config.listen[scheme]
    const own = addresses.find((address) => address.type === 'tcp' && address.port === port)
    if (addresses.length === 0) this.#note('listener', `none: the config listens for ${scheme} nowhere`)
    else if (own === undefined)
      this.#note(
        'listener',
        `${scheme}, if something in front maps port ${port} to it: Castellan does not listen there`,
      )
    else this.#note('listener', `${scheme} on port ${port}`)
  }

  #handshake(): Explanation | undefined {
    const { serverName } = this.#request
    const { fallback } = this.#config
    if (serverName === undefined && fallback === undefined) {
      this.#note('certificate', 'none: the client sends no server name, and the config has no "fallback"')
      return this.#end('the handshake is refused')
    }
    if (serverName === undefined)
      this.#note('server name', `none, so that the certificate is that of the "fallback" ${fallback}`)
    const wanted = serverName ?? fallback!
    if (this.#siteOf(wanted) === undefined) {
      this.#note('certificate', `none: ${wanted} is no name of a site`)
      return this.#end('the handshake is refused')
    }
    if (this.#shown.length === 0)
      this.#note('certificate', `none yet for ${wanted}, so that handshakes are refused: "castellan certs plan"`)
    for (const { words } of this.#shown) this.#note('certificate', words)
    return undefined
  }

  #siteOf(name: string): Site | undefined {
    const named = (wanted: string): Site | undefined => this.#config.sites.find(({ names }) => names.includes(wanted))
    return named(name) ?? named(wildcardOf(name)) ?? (isOnDemandName(name) ? named('*') : undefined)
  }

  #site(): Site | undefined {
    const { host, serverName, scheme } = this.#request
    const { fallback } = this.#config
    const site = this.#siteOf(host)
    if (site?.names.includes(host)) return this.#found(site, host === site.name ? 'its name' : `its alias ${host}`)
    if (site?.names.includes('*')) return this.#found(site, `no other site has ${host}`)
    if (site !== undefined) return this.#found(site, `its wildcard ${wildcardOf(host)} covers ${host}`)
    if (fallback !== undefined && scheme === 'https' && serverName === undefined)
      return this.#found(this.#siteOf(fallback)!, 'the fallback, as the client sent no server name')
    this.#note('site', `none: neither ${host} nor ${wildcardOf(host)} is a name or an alias of one`)
    return undefined
  }

  #found(site: Site, because: string): Site {
    this.#note('site', `${site.name}: ${because}`)
    return site
  }

  /** The same as the data plane asks of each request (RFC 9110 §7.4). */
  #isCertified(site: Site): boolean {
    const { scheme, host, serverName } = this.#request
    if (scheme === 'http') return true
    if (serverName === undefined && !site.names.includes(host)) return true
    const names = this.#shown[0]?.names
    if (names === undefined || covers(names, host)) return true
    this.#note('host', `${host}, which the certificate for ${serverName} does not cover; it covers ${names.join(', ')}`)
    return false
  }

  #redirected(site: Site): Explanation | undefined {
    const { scheme, host, port, target } = this.#request
    if (scheme === 'http' && site.redirectToHttps && site.action.type !== 'redirect') {
      const localPort = firstPort(this.#config.listen.http)
      const origin = httpsOrigin({ name: host, port }, localPort, firstPort(this.#config.listen.https))
      this.#note('redirect', 'on: plain HTTP is sent to HTTPS')
      return this.#end(`308 to ${origin}${target}`, 308)
    }
    if (!site.isCanonical || host === site.name) return undefined
    this.#note('canonical', `aliases are sent to ${site.name}`)
    return this.#end(`308 to ${originAt(scheme, site.name, port)}${target}`, 308)
  }

  #routed(site: Site): Explanation {
    const { target } = this.#request
    if (site.routes.length === 0) return this.#answered(site, site, target)
    const table = new RouteTable(site.routes)
    const choice = chooseRoute(table, target, this.#request)
    if (choice.type === 'ambiguous') {
      this.#note('path', `another server could read it as ${choice.reading}, which is another route's`)
      return this.#end('400: the path has two readings', 400, 'path-ambiguous')
    }
    const route = site.routes.find((each) => each === choice.route)
    if (choice.target !== target) this.#note('path', `${choice.target}, as the app sees it`)
    if (route === undefined) return this.#unrouted(site, table, choice.target)
    this.#note('route', `${describeRoute(route)}: the most specific of ${site.routes.length} that takes it`)
    return this.#answered(site, route, choice.target)
  }

  #unrouted(site: Site, table: RouteTable, target: string): Explanation {
    const methods = table.methods(target.slice(0, pathEnd(target)), this.#request)
    const but = methods.length === 0 ? '' : `, and with another method (${methods.join(', ')}) one would`
    this.#note('route', `none of ${site.routes.length} takes it${but}`)
    if (site.action.type !== 'none') return this.#answered(site, site, target)
    if (methods.length > 0) return this.#end(`405, which allows ${methods.join(', ')}`, 405, 'method-not-routed')
    return this.#end('404: the site has nothing but routes', 404, 'route-unknown')
  }

  #answered(site: Site, { action, policy, concurrency }: Site | Route, target: string): Explanation {
    const closed = this.#live.maintenance.find((report) => report.site === site.name)
    for (const { step, is, refusal } of explainPolicy(policy, this.#request, { tls: site.tls, closed })) {
      this.#note(step, is)
      if (refusal !== undefined) return this.#end(`${refusal.status}: ${is}`, refusal.status, refusal.why)
    }
    switch (action.type) {
      case 'proxy': {
        const bound = concurrency ?? site.concurrency
        const whose = concurrency === undefined || concurrency === site.concurrency ? 'site' : 'route'
        if (bound !== undefined) this.#note('limits', `of this ${whose}, ${concurrencyWords(bound)}`)
        return this.#forwarded(action.upstream, target)
      }
      case 'redirect':
        return this.#end(`${action.status} to ${action.to}${target === '*' ? '/' : target}`, action.status)
      case 'respond':
        return this.#end(`${action.status}, which the config itself says`, action.status)
      case 'none':
        return this.#end('404: the site has nothing but routes', 404, 'route-unknown')
      default:
        return action satisfies never
    }
  }

  #forwarded(upstream: Upstream, target: string): Explanation {
    const { upstreams } = this.#live
    for (const { step, is } of explainUpstream(upstream, upstreams)) this.#note(step, is)
    if (takesNothing(upstream, upstreams))
      return this.#end('503, after a moment of waiting for one: no address takes requests now', 503, 'upstream-none')
    return this.#end(`what ${addressesOf(upstream).join(' or ')} answers to ${this.#request.method} ${target}`)
  }
}

function describeRoute({ path, methods, headers }: Route): string {
  const conditions = [
    ...(methods === undefined ? [] : [methods.join(' or ')]),
    ...headers.map(({ name, value }) => (value === undefined ? `with ${name}` : `with ${name}: ${value}`)),
  ]
  return conditions.length === 0 ? path : `${path} (${conditions.join(', ')})`
}
