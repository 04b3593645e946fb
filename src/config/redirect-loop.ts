import type { Spot } from './document.ts'
import type { Findings } from './findings.ts'
import { withoutBrackets } from './ip-address.ts'
import type { ListenAddress } from './listen-address.ts'
import { Refusal } from './problem.ts'
import type { Claim, SiteClaims } from './site-claims.ts'
import { covers } from './site-name.ts'

/** What tells where a redirect leads. */
export type RedirectSurroundings = {
  readonly claims: SiteClaims
  readonly listen: { readonly https: readonly ListenAddress[]; readonly http: readonly ListenAddress[] }
  readonly findings: Findings
}

/** Refuses a redirect that leads back to the same site, which browsers follow until they give up. `to` is an origin. */
export function checkRedirect(to: string, own: readonly Claim[], around: RedirectSurroundings, spot: Spot): void {
  const { protocol, hostname, port } = new URL(to)
  const host = withoutBrackets(hostname)
  const isOwn = own.some(({ name }) => name === host)
  const fallsToOwn = !around.claims.has(host) && own.some(({ name }) => covers(name, host))
  if (!isOwn && !fallsToOwn) return
  // Without a port it is ours, whatever the ports are called behind a forwarding router.
  const addresses = protocol === 'https:' ? around.listen.https : around.listen.http
  if (port !== '' && !addresses.some((address) => address.type === 'tcp' && address.port === Number(port))) return
  const fault = 'which is this site itself: a redirect without end'
  around.findings.refuse(spot, new Refusal('give another host, or an upstream', { fault }))
}
