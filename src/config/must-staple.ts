import type { Spot } from './document.ts'
import type { Findings } from './findings.ts'
import { INTERNAL_ISSUER, issuersWithoutOcsp } from './issuers.ts'
import { Refusal } from './problem.ts'

/** Whoever asks for it of a CA without OCSP gets nothing, or a certificate without it. `spot` is where it is asked for. */
export function warnOfMustStaple(issuers: readonly string[], spot: Spot, findings: Findings): void {
  const unable = [...new Set(issuers)].filter((issuer) => issuersWithoutOcsp.has(issuer))
  if (unable.length === 0) return
  const [isRefused, isLeftOut] = [unable.some((issuer) => issuer !== INTERNAL_ISSUER), unable.includes(INTERNAL_ISSUER)]
  const consequences = [
    ...(isRefused ? ["Let's Encrypt refuses the order"] : []),
    ...(isLeftOut ? ['internal leaves it out'] : []),
  ]
  const found = `found it asked of ${unable.join(' and ')}, which ${unable.length === 1 ? 'has' : 'have'} no OCSP`
  findings.warn(spot, new Refusal(`${consequences.join(', ')}; turn it off, or choose another issuer`, { found }))
}
