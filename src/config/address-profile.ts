import { isIP } from 'node:net'
import type { Site } from './config.ts'
import type { Document } from './document.ts'
import type { Findings } from './findings.ts'
import { issuersFor } from './issuers.ts'
import { Refusal } from './problem.ts'
import type { IssuerSettings } from './schema.ts'

/** Let's Encrypt certifies addresses in this profile alone (letsencrypt.org/docs/profiles). */
const ADDRESS_PROFILE = 'shortlived'
const ISSUERS = ['letsencrypt', 'letsencrypt-staging']

/** An address for which Let's Encrypt is asked in another profile would be refused for ever. */
export function warnOfAddresses(
  sites: readonly Site[],
  issuers: Readonly<Record<string, IssuerSettings>>,
  document: Document,
  findings: Findings,
): void {
  for (const issuer of ISSUERS) {
    const profile = issuers[issuer]?.profile?.name
    if (profile === ADDRESS_PROFILE) continue
    const addresses = sites
      .filter(({ files }) => files.length === 0)
      .flatMap((site) =>
        site.names.filter((name) => isIP(name) !== 0 && issuersFor(name, site.issuers).includes(issuer)),
      )
    if (addresses.length === 0) continue
    const found = `found ${profile ?? 'none'}, and a certificate for ${addresses.join(', ')} is wanted`
    const advice = `Let's Encrypt certifies addresses in the profile ${ADDRESS_PROFILE} alone: set it`
    findings.warn(document.spot('issuers', issuer, 'profile'), new Refusal(advice, { found }))
  }
}
