import type { UpstreamAddress } from '../snapshot.ts'

/** Each line of the access log has one, and an address is the same object for all of its requests. */
const names = new WeakMap<UpstreamAddress, string>()

/** The upstream as the config writes it. */
export function formatUpstream(upstream: UpstreamAddress): string {
  const known = names.get(upstream)
  if (known !== undefined) return known
  const name = format(upstream)
  names.set(upstream, name)
  return name
}

function format(upstream: UpstreamAddress): string {
  if (upstream.scheme === 'unix') return `unix:${upstream.path}`
  const host = upstream.host.includes(':') ? `[${upstream.host}]` : upstream.host
  return `${upstream.scheme}://${host}:${upstream.port}`
}
