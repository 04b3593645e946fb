import type { HealthSnapshot, PeerSnapshot, UpstreamConditions, UpstreamSnapshot } from '../../snapshot.ts'

/** One address that requests may go to. */
export type WeightedPeer = { readonly peer: PeerSnapshot; readonly weight: number }

/**
 * The peers of an upstream. A name each of whose addresses counts is one peer until it is resolved; then each has the weight
 * of the name, and is asked by TLS for that name.
 */
export function peersOf(upstream: UpstreamSnapshot, addresses: UpstreamConditions['addresses']): WeightedPeer[] {
  const { targets, balancing, timeouts, tls, proxyProtocol } = upstream
  const settings = { timeouts, tls, proxyProtocol }
  return targets.flatMap(({ address, weight }): WeightedPeer[] => {
    const plain = { peer: { address, ...settings }, weight }
    if (!balancing.everyAddress || address.scheme === 'unix') return [plain]
    const found = addresses[address.host] ?? []
    if (found.length === 0) return [plain]
    const named = { ...settings, tls: { ...tls, serverName: tls.serverName ?? address.host } }
    return found.map((host) => ({ peer: { address: { ...address, host }, ...named }, weight }))
  })
}

/** What the check of a peer is known by, to whoever checks it and to the workers. */
export function checkIdOf(peer: PeerSnapshot, health: HealthSnapshot): string {
  return JSON.stringify([peer, health])
}
