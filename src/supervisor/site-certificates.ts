import type { OnDemandSite } from '../certificates/on-demand/wanted.ts'
import type { OwnFiles } from '../certificates/own-files.ts'
import { type WantedCertificate, wantedCertificates } from '../certificates/wanted.ts'
import type { Config, Site } from '../config/config.ts'
import { issuersFor, maxNamesOf, onDemandIssuersFor } from '../config/issuers.ts'

/** Sites with certificates of their own bring them; the others are to be issued some, but for those on demand. */
export function siteCertificates({ sites, issuers }: Config): { wanted: WantedCertificate[]; ownFiles: OwnFiles[] } {
  const isOwn = ({ files }: Site): boolean => files.length > 0
  return {
    wanted: wantedCertificates(
      sites
        .filter((site) => !isOwn(site) && site.onDemand === undefined)
        .map((site) => ({
          site: site.name,
          names: site.names,
          keys: site.keys,
          grouping: site.grouping,
          mustStaple: site.mustStaple,
          issuersFor: (name) => issuersFor(name, site.issuers),
          maxNamesOf: (names) => maxNamesOf(names, issuers),
        })),
    ),
    ownFiles: sites.filter(isOwn).map(({ name, names, files }) => ({ site: name, names, files })),
  }
}

/** What certificates the site "*" asks for. */
export function onDemandSite({ name, keys, mustStaple, issuers }: Site): OnDemandSite {
  return { site: name, keys, mustStaple, issuersFor: (wanted) => onDemandIssuersFor(wanted, issuers) }
}
