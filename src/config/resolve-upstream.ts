import { resolve } from 'node:path'
import type { Upstream } from './config.ts'
import type { Spot } from './document.ts'
import type { Findings } from './findings.ts'
import { readTrust } from './pem-file.ts'
import { Refusal } from './problem.ts'
import { resolveConcurrency } from './resolve-concurrency.ts'
import { absoluteSocket } from './socket-path.ts'
import type { UpstreamSettings } from './upstream-schema.ts'
import type { UpstreamAddress } from './upstream-url.ts'

/** Makes a site's upstream ready. `spot` is where its URL, or the mapping around it, stands. */
export async function resolveUpstream(settings: UpstreamSettings, spot: Spot, findings: Findings): Promise<Upstream> {
  const place = typeof spot.value === 'string' ? spot : spot.at('to')
  const { connect, firstByte, idle } = settings.timeouts
  return {
    targets: resolveTargets(settings, place, findings),
    balancing: {
      balance: settings.balance,
      sticky: settings.sticky?.cookie,
      everyAddress: settings.resolve === 'all',
      health: settings.health,
      retries: settings.retries,
      concurrency: resolveConcurrency(settings.limits, undefined, spot.at('limits'), findings),
    },
    timeouts: { connectMs: connect, firstByteMs: firstByte, idleMs: idle },
    tls: await resolveTls(settings, spot.at('tls'), findings),
    proxyProtocol: settings.proxyProtocol,
  }
}

function resolveTargets({ to, resolve }: UpstreamSettings, spot: Spot, findings: Findings): Upstream['targets'] {
  const known = new Set<string>()
  return to.map(({ url, weight }, index) => {
    const place = spot.item(index)
    const address = absoluteAddress(url, typeof place.value === 'object' ? place.at('url') : place, findings)
    const name = JSON.stringify(address)
    if (known.has(name)) findings.refuse(place, new Refusal('name each once', { found: 'it is in this list already' }))
    known.add(name)
    if (resolve === 'all' && address.scheme === 'unix') findings.refuse(place, nothingToResolve)
    return { address, weight }
  })
}

const nothingToResolve = new Refusal('remove resolve: all', { fault: 'but a socket has no addresses' })

function absoluteAddress(address: UpstreamAddress, spot: Spot, findings: Findings): UpstreamAddress {
  if (address.scheme !== 'unix') return address
  return { scheme: 'unix', path: absoluteSocket(address.path, spot, findings) }
}

/** How an upstream's certificate is verified. */
export async function resolveTls(
  { to, tls }: Pick<UpstreamSettings, 'to' | 'tls'>,
  spot: Spot,
  findings: Findings,
): Promise<Upstream['tls']> {
  if (tls === undefined) return { trust: undefined, serverName: undefined, verify: true }
  const clear = to.find(({ url: { scheme } }) => scheme !== 'https' && scheme !== 'h2')?.url.scheme
  if (clear !== undefined) {
    const fault = `but ${clear}${clear === 'unix' ? ':' : '://'} is without TLS`
    findings.refuse(spot, new Refusal('allowed: tls with https:// and h2:// only', { fault }))
  }
  if (!tls.verify) findings.warn(spot.at('verify'), unverified)
  const trust = tls.trust === undefined ? undefined : await resolveTrust(tls.trust, spot.at('trust'), findings)
  return { trust, serverName: tls.serverName, verify: tls.verify }
}

const unverified = new Refusal('better give its certificate, or that of its authority, as tls.trust', {
  found:
    'whoever stands on the way to this upstream can read and change everything, for its certificate is not verified',
})

async function resolveTrust(path: string, spot: Spot, findings: Findings): Promise<string | undefined> {
  const pem = await readTrust(resolve(spot.document.folder, path), findings.files)
  if (!(pem instanceof Refusal)) return pem
  findings.refuse(spot, pem)
  return undefined
}
