import type { KeyKind } from '../pki/key-kind.ts'
import { segmentFor } from '../storage/segment.ts'

/** What a site asks for: names × kinds of keys × issuers. */
export type SiteCertificates = {
  readonly site: string
  /** Lower-case ASCII; wildcards as `*.`, IP addresses without brackets. The site's own name first. */
  readonly names: readonly string[]
  readonly keys: readonly KeyKind[]
  /** One certificate for all of the names, or one for each. */
  readonly grouping: 'perSite' | 'perName'
  /** They are to say that clients must insist on a staple (RFC 7633). */
  readonly mustStaple: boolean
  /** Who may certify a name, in order of preference; never empty. */
  readonly issuersFor: (name: string) => readonly string[]
  /** The most names that each of these issuers puts into one certificate; MAX_NAMES unless given. */
  readonly maxNamesOf?: (issuers: readonly string[]) => number
}

/** One certificate that should exist. */
export type WantedCertificate = {
  /** Where the storage keeps it and what is known of it: segments of a key, and readable. */
  readonly id: string
  readonly site: string
  readonly names: readonly string[]
  readonly keyKind: KeyKind
  readonly mustStaple: boolean
  readonly issuers: readonly string[]
}

/** The most that a public CA puts into one certificate (Let's Encrypt's `classic` profile). */
export const MAX_NAMES = 100

/** All certificates that should exist. */
export function wantedCertificates(sites: readonly SiteCertificates[]): WantedCertificate[] {
  return sites.flatMap(({ site, names, keys, grouping, mustStaple, issuersFor, maxNamesOf }) =>
    groupByIssuers(names, issuersFor).flatMap(({ issuers, members }) =>
      split(members, grouping === 'perName' ? 1 : (maxNamesOf?.(issuers) ?? MAX_NAMES)).flatMap((group) =>
        keys.map((keyKind) => ({
          id: certificateId(group, keyKind),
          site,
          names: group,
          keyKind,
          mustStaple,
          issuers,
        })),
      ),
    ),
  )
}

type Group = { readonly issuers: readonly string[]; readonly members: string[] }

/** Names that nobody certifies together stand on different certificates. */
function groupByIssuers(names: readonly string[], issuersFor: SiteCertificates['issuersFor']): Group[] {
  const groups = new Map<string, Group>()
  for (const name of names) {
    const issuers = issuersFor(name)
    const group = groups.get(issuers.join())
    if (group === undefined) groups.set(issuers.join(), { issuers, members: [name] })
    else group.members.push(name)
  }
  return [...groups.values()]
}

function split(names: readonly string[], size: number): string[][] {
  const groups: string[][] = []
  for (let start = 0; start < names.length; start += size) groups.push(names.slice(start, start + size))
  return groups
}

/** `a.test.rsa-2048`; with more names than the first, a hash of them all keeps it apart. */
function certificateId(names: readonly string[], keyKind: KeyKind): string {
  const first = names[0]!
  return `${names.length === 1 ? segmentFor(first) : segmentFor(first, [...names].sort().join())}.${keyKind}`
}
