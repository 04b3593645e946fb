import { onDemandId } from '../place.ts'
import { type SiteCertificates, type WantedCertificate, wantedCertificates } from '../wanted.ts'
import { shardOf } from './registry.ts'

/** What the site "*" asks for: the same for each name that is let in. */
export type OnDemandSite = Pick<SiteCertificates, 'site' | 'keys' | 'mustStaple' | 'issuersFor'>

/** The certificates of one name that no site lists: of each kind of key. None, if nobody could issue them. */
export function wantedOnDemand(name: string, site: OnDemandSite): WantedCertificate[] {
  if (site.issuersFor(name).length === 0) return []
  return wantedCertificates([{ ...site, names: [name], grouping: 'perName' }]).map((wanted) => ({
    ...wanted,
    id: onDemandId(wanted.id, shardOf(name)),
  }))
}
