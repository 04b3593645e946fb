import type { Config, Site } from '../config/config.ts'
import type { ListenAddress } from '../config/listen-address.ts'
import { wildcardOf } from '../edge/router/router.ts'
import type { EdgeSnapshot, OnDemandSnapshot, SiteSnapshot } from '../edge/snapshot.ts'

/** What the config means for the data plane, but for the sites. */
export function edgeSnapshot(config: Config): Omit<EdgeSnapshot, 'sites'> {
  return {
    fallback: config.fallback,
    accessLog: config.log.access !== undefined,
    pages: Object.fromEntries(config.pages),
    onDemand: onDemandSnapshot(config.sites.find((site) => site.onDemand !== undefined)),
    httpsPort: firstPort(config.listen.https),
    proxyProtocolFrom: config.listen.proxyProtocolFrom,
    trustedProxies: config.listen.trustedProxies,
    limits: config.limits,
    timeouts: config.timeouts,
  }
}

function onDemandSnapshot({ onDemand }: Partial<Site> = {}): OnDemandSnapshot | undefined {
  if (onDemand === undefined) return undefined
  const { ask, allow, waitMs, waiting } = onDemand
  return { allow: ask === undefined ? allow : undefined, waitMs, waiting }
}

/** What a site means for it, and what it is at now: its Strict-Transport-Security, and its maintenance. */
export function siteSnapshot(
  site: Site,
  { hsts, maintenance }: Pick<SiteSnapshot, 'hsts' | 'maintenance'>,
): SiteSnapshot {
  const { name, names, action, policy, routes, isCanonical, redirectToHttps, concurrency, forwarded, via, tls } = site
  const now = { hsts, maintenance }
  return { ...now, name, names, action, policy, routes, isCanonical, redirectToHttps, concurrency, forwarded, via, tls }
}

/** Tells of a name whether clients may come for it that speak no more than TLS 1.2. */
export function takesTls12(sites: readonly Site[]): (name: string) => boolean {
  const minimum = new Map(sites.flatMap(({ names, tls }) => names.map((name) => [name, tls?.minVersion ?? '1.2'])))
  return (name) => (minimum.get(name) ?? minimum.get(wildcardOf(name)) ?? minimum.get('*')) !== '1.3'
}

/** The first port among these addresses; undefined if there is none of ours. */
export function firstPort(addresses: readonly ListenAddress[]): number | undefined {
  for (const address of addresses) if (address.type === 'tcp') return address.port
  return undefined
}

/** The address as the config writes it. */
export function formatListenAddress(address: ListenAddress): string {
  switch (address.type) {
    case 'tcp':
      return `${address.host?.includes(':') ? `[${address.host}]` : (address.host ?? '')}:${address.port}`
    case 'unix':
      return `unix:${address.path}`
    case 'fd':
      return `fd:${address.fd}`
    default:
      return address satisfies never
  }
}

/** What to open in a browser: over plain HTTP only where nothing else is served. */
export function formatOrigin(name: string, { https, http }: Pick<Config['listen'], 'https' | 'http'>): string {
  const [scheme, port, usual] = https.length > 0 ? ['https', firstPort(https), 443] : ['http', firstPort(http), 80]
  const host = name.includes(':') ? `[${name}]` : name
  return port === undefined || port === usual ? `${scheme}://${host}` : `${scheme}://${host}:${port}`
}
