import type { CaFacts } from '../issuers/issuer.ts'
import type { CertificateChain } from '../pki/certificate.ts'
import type { KeyKind } from '../pki/key-kind.ts'
import { keyKindOf } from '../pki/keys.ts'
import { spokenDuration } from './spoken-time.ts'

/** What is seen of a CA in one certificate, and what it says of itself. */
export type Sighting = {
  readonly keyKind: KeyKind | undefined
  readonly profile: string
  readonly lifetimeMs: number
  /** The certificate that signed it, as `subject (fingerprint)`; of CAs with several, one of them. */
  readonly intermediate: string | undefined
  /** The chain's top issuer. */
  readonly root: string
  /** With which algorithm and key it was signed, and what it may be used for. */
  readonly keyRule: string
  readonly hasOcsp: boolean
  readonly said: CaFacts | undefined
}

/** What was seen of certificates of one kind of key and profile. */
export type KnownKind = {
  readonly intermediates: readonly string[]
  readonly roots: readonly string[]
  readonly keyRules: readonly string[]
  readonly lifetimeMs: number
  readonly hasOcsp: boolean
}

/** All that was seen of one CA up to the last certificate. Plain JSON. */
export type KnownCa = {
  /** Which CA that was: see Issuer. */
  readonly authority: string
  /** By kind of key and profile, as each may be signed by another intermediate. */
  readonly kinds: Readonly<Record<string, KnownKind>>
  /** Kinds of key that it has refused since it last took them. */
  readonly refusedKeys: readonly string[]
  readonly said: Omit<CaFacts, 'profile'> | undefined
}

/** CAs choose among some at random; a bound for one that makes them up. */
const MAX_REMEMBERED = 50
/** Of a lifetime: CAs cut off seconds and hours. */
const LIFETIME_TOLERANCE = 0.05

/** What a certificate shows of its CA. */
export function sightingOf(chain: CertificateChain, said: CaFacts | undefined): Sighting {
  const [leaf, issuer] = chain
  const { keyKind, notBefore, notAfter, x509, ocspUrl } = leaf
  const signer = issuer === undefined ? '' : ` by a key of kind ${keyKindOf(issuer.publicKey) ?? 'unknown'}`
  const uses = (x509.keyUsage ?? []).toSorted().join(', ')
  return {
    keyKind,
    profile: said?.profile ?? '',
    lifetimeMs: notAfter - notBefore,
    intermediate: issuer && `${issuer.subject} (${issuer.fingerprint.slice(0, 16)})`,
    root: chain.at(-1)!.issuer,
    keyRule: `${x509.signatureAlgorithm ?? 'an unknown algorithm'}${signer}, for uses ${uses || 'of all kinds'}`,
    hasOcsp: ocspUrl !== undefined,
    said,
  }
}

/** What is known after a sighting. */
export function learn(known: KnownCa | undefined, authority: string, seen: Sighting): KnownCa {
  const before = known?.authority === authority ? known : undefined
  const kind = before?.kinds[kindOf(seen)]
  const { lifetimeMs, hasOcsp } = seen
  const learned = {
    intermediates: remember(kind?.intermediates, seen.intermediate),
    roots: remember(kind?.roots, seen.root),
    keyRules: remember(kind?.keyRules, seen.keyRule),
    ...{ lifetimeMs, hasOcsp },
  }
  return {
    authority,
    kinds: { ...before?.kinds, [kindOf(seen)]: learned },
    refusedKeys: (before?.refusedKeys ?? []).filter((kind) => kind !== seen.keyKind),
    said: seen.said === undefined ? before?.said : withoutProfile(seen.said),
  }
}

/**
 * What a sighting shows that was not so before, in sentences; nothing of a CA, or of a kind of certificate, that is seen for
 * the first time.
 */
export function changesSince(known: KnownCa | undefined, authority: string, seen: Sighting): string[] {
  if (known === undefined || known.authority !== authority) return []
  const kind = known.kinds[kindOf(seen)]
  const changes = kind === undefined ? [] : changesOfKind(kind, seen)
  if (known.said !== undefined && seen.said !== undefined) changes.push(...changesInWords(known.said, seen.said))
  return changes
}

/** What is known after a CA has refused a kind of key; undefined if that is nothing new, or it never took one. */
export function learnRefusal(known: KnownCa | undefined, authority: string, keyKind: KeyKind): KnownCa | undefined {
  if (known === undefined || known.authority !== authority || known.refusedKeys.includes(keyKind)) return undefined
  const wasTaken = Object.keys(known.kinds).some((kind) => kind.split(' ')[0] === keyKind)
  return wasTaken ? { ...known, refusedKeys: [...known.refusedKeys, keyKind] } : undefined
}

function changesOfKind(before: KnownKind, seen: Sighting): string[] {
  const changes: string[] = []
  const what = `certificates ${seen.profile === '' ? '' : `of the profile ${seen.profile} `}for ${seen.keyKind} keys`
  if (seen.intermediate !== undefined && !before.intermediates.includes(seen.intermediate))
    changes.push(`its ${what} are signed by an intermediate that was not seen before, ${seen.intermediate}`)
  if (!before.roots.includes(seen.root)) changes.push(`the chain of its ${what} ends at another root, ${seen.root}`)
  if (!before.keyRules.includes(seen.keyRule))
    changes.push(`its ${what} are made otherwise than before: ${seen.keyRule}`)
  if (Math.abs(seen.lifetimeMs - before.lifetimeMs) > before.lifetimeMs * LIFETIME_TOLERANCE)
    changes.push(
      `its ${what} live for ${spokenDuration(seen.lifetimeMs)} and not ${spokenDuration(before.lifetimeMs)} any more`,
    )
  if (seen.hasOcsp !== before.hasOcsp)
    changes.push(`its ${what} name ${seen.hasOcsp ? 'an OCSP responder now' : 'no OCSP responder any more'}`)
  return changes
}

function changesInWords(before: Omit<CaFacts, 'profile'>, now: CaFacts): string[] {
  const changes: string[] = []
  if (now.terms !== before.terms)
    changes.push(
      now.terms === undefined
        ? 'it has no terms of service any more'
        : `its terms of service have changed: ${now.terms} – read them, as "acceptTerms" stands for them too`,
    )
  changes.push(...differences('the profile', before.profiles, now.profiles))
  changes.push(...differences('the directory entry', before.resources, now.resources))
  changes.push(...differences('the CAA identity', before.caaIdentities, now.caaIdentities))
  if (now.externalAccountRequired !== before.externalAccountRequired)
    changes.push(`it ${now.externalAccountRequired ? 'takes only' : 'does not need'} external accounts from now on`)
  return changes
}

function differences(what: string, before: readonly string[], now: readonly string[]): string[] {
  const added = now.filter((each) => !before.includes(each)).map((each) => `it has ${what} “${each}” now`)
  const gone = before.filter((each) => !now.includes(each)).map((each) => `it has ${what} “${each}” no more`)
  return [...added, ...gone]
}

function remember(known: readonly string[] = [], seen: string | undefined): readonly string[] {
  return seen === undefined || known.includes(seen) ? known : [...known, seen].slice(-MAX_REMEMBERED)
}

function kindOf({ keyKind, profile }: Sighting): string {
  return profile === '' ? String(keyKind) : `${keyKind} ${profile}`
}

function withoutProfile({ profile: _, ...said }: CaFacts): Omit<CaFacts, 'profile'> {
  return said
}
