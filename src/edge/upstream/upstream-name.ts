import type { UpstreamAddress } from '../snapshot.ts'

/** The upstream as the config writes it. */
export function formatUpstream(upstream: UpstreamAddress): string {
  if (upstream.scheme === 'unix') return `unix:${upstream.path}`
  const host = upstream.host.includes(':') ? `[${upstream.host}]` : upstream.host
  return `${upstream.scheme}://${host}:${upstream.port}`
}
