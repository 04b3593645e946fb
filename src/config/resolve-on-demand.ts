import type { OnDemandConfig } from './config.ts'
import type { Findings } from './findings.ts'
import type { OnDemandSettings } from './on-demand-schema.ts'
import { Refusal } from './problem.ts'
import type { SiteSettings } from './schema.ts'
import type { SiteEntry } from './site-claims.ts'
import { ANY_NAME } from './site-name.ts'

/** What a site says of names that no site lists: only "*" may, and must. */
export function resolveOnDemand(
  { key, spot }: Pick<SiteEntry, 'key' | 'spot'>,
  { onDemand, aliases, certificate }: SiteSettings,
  findings: Findings,
): OnDemandConfig | undefined {
  if (key !== ANY_NAME) {
    const fault = 'which is for the site "*" alone, any name that no site lists'
    if (onDemand !== undefined) findings.refuse(spot.at('onDemand'), new Refusal('move it there', { fault }))
    return undefined
  }
  if (onDemand === undefined) findings.refuse(spot, onDemandMissing)
  if (aliases !== undefined && aliases.length > 0)
    findings.refuse(spot.at('aliases'), new Refusal('leave them out', { fault: 'but "*" is every name already' }))
  if (certificate?.files !== undefined)
    findings.refuse(spot.at('certificate', 'files'), new Refusal('list their names as sites', { fault: FILES_FAULT }))
  return onDemand && formOf(onDemand)
}

const FILES_FAULT = 'but the certificates of "*" are issued on demand'

const onDemandMissing = new Refusal(
  'allowed: onDemand with ask, a URL that says which names may have a certificate, or with allow, a list of names',
  { found: 'found no onDemand' },
)

function formOf({ wait, refusedFor, keepFor, allow = [], ...rest }: OnDemandSettings): OnDemandConfig {
  const { ask, addresses, waiting, perHour } = rest
  return { ask, allow, addresses, waitMs: wait, waiting, refusedForMs: refusedFor, keepForMs: keepFor, perHour }
}
