import { isPublicName } from '../pki/public-name.ts'
import type { Config } from './config.ts'
import { ANY_NAME } from './site-name.ts'

/** The directories of the ACME CAs that need no config. */
export const builtInDirectories: ReadonlyMap<string, string> = new Map([
  ['letsencrypt', 'https://acme-v02.api.letsencrypt.org/directory'],
  ['letsencrypt-staging', 'https://acme-staging-v02.api.letsencrypt.org/directory'],
  ['zerossl', 'https://acme.zerossl.com/v2/DV90'],
  ['google', 'https://dv.acme-v02.api.pki.goog/directory'],
])

/** Those of them that give certificates only to accounts that are known to them already (RFC 8555 §7.3.4). */
export const externalAccountIssuers: ReadonlySet<string> = new Set(['zerossl', 'google'])

/**
 * Who has no OCSP responder: Let's Encrypt, which has refused to put must-staple into certificates since 2025-05-07
 * (letsencrypt.org/2024/12/05/ending-ocsp), and the CA in the data folder.
 */
export const issuersWithoutOcsp: ReadonlySet<string> = new Set(['letsencrypt', 'letsencrypt-staging', 'internal'])

/** The CA in the data folder. */
export const INTERNAL_ISSUER = 'internal'

/** Who certifies public names unless the config says otherwise. */
export const DEFAULT_ISSUER = 'letsencrypt'

/**
 * Who certifies one name of a site, in order of preference; never empty. `issuers` is what the config says, undefined
 * if it says nothing. Names that no public CA may certify leave out the built-in ones, and fall to the internal CA.
 */
export function issuersFor(name: string, issuers: readonly string[] | undefined): readonly string[] {
  if (name === ANY_NAME || isPublicName(name)) return issuers ?? [DEFAULT_ISSUER]
  const able = (issuers ?? []).filter((issuer) => !builtInDirectories.has(issuer))
  return able.length === 0 ? [INTERNAL_ISSUER] : able
}

/**
 * Who certifies a name that no site lists, in order of preference. Nobody, if no public CA may and the config names none
 * that could: a stranger's `printer.local` is none of ours.
 */
export function onDemandIssuersFor(name: string, issuers: readonly string[] | undefined): readonly string[] {
  if (isPublicName(name)) return issuers ?? [DEFAULT_ISSUER]
  return (issuers ?? []).filter((issuer) => !builtInDirectories.has(issuer))
}

/** The most that a public CA puts into one certificate. */
const MAX_NAMES = 100

/** Let's Encrypt's profiles that take fewer names (letsencrypt.org/docs/profiles); who calls one so has such a one in mind. */
const maxNamesOfProfiles: ReadonlyMap<string, number> = new Map([
  ['tlsserver', 25],
  ['shortlived', 25],
])

/** The most names that all of these issuers put into one certificate: any of them may be the one that is asked. */
export function maxNamesOf(names: readonly string[], issuers: Config['issuers']): number {
  const limits = names.map((name) => {
    const { maxNames, profile } = issuers.get(name) ?? {}
    return maxNames ?? maxNamesOfProfiles.get(profile?.name ?? '') ?? MAX_NAMES
  })
  return Math.min(...limits)
}
