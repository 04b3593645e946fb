import { createHash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { describeError } from '../errors.ts'
import type { IssuedCertificate, Issuer } from '../issuers/issuer.ts'
import { type CertificateChain, checkIssued, parseCertificate, parseChain } from '../pki/certificate.ts'
import { importPrivateKey, publicKeyFingerprint } from '../pki/keys.ts'
import { decodeCertificateChain, decodePrivateKey } from '../pki/pem.ts'
import { PkiError } from '../pki/pki-error.ts'
import type { Storage, StorageReader } from '../storage/storage.ts'
import type { Log } from '../telemetry/log.ts'
import { type Leaf, leafOf } from './leaf.ts'
import { type PackedCertificate, pack, packDer, unpack } from './packed-certificate.ts'
import { placeOf } from './place.ts'
import type { HeldFacts } from './plan.ts'
import { checkServable } from './servable.ts'
import { setAside } from './set-aside.ts'
import type { WantedCertificate } from './wanted.ts'

/** A certificate that we have, with what decides how long it is good for. */
export type StoredCertificate = {
  readonly certificate: Leaf
  /** What it was asked for. A CA may add names of its own, or answer with a wildcard that covers them. */
  readonly names: readonly string[]
  /** Whether it was asked to say that clients must insist on a staple; some CAs leave that out. */
  readonly mustStaple: boolean
  /** It took the place of one that was revoked. */
  readonly replacesRevoked: boolean
  /** Why its key must not be used any longer; of what was loaded, and never stored. */
  readonly keyFault?: string | undefined
  /** When an operator had it revoked and why, as `at …`; undefined unless one has. */
  readonly revokedByHand?: string | undefined
  /** When it is to be renewed although that is early, as too many others came with it; undefined if they did not. */
  readonly spreadAt?: number | undefined
  readonly packed: PackedCertificate
  /** Who signed it, as the config calls them. */
  readonly issuer: string
  /** Which CA that was: see Issuer. */
  readonly authority: string
  /** Milliseconds since 1970. */
  readonly obtainedAt: number
}

/** Without what the chain itself says. PEM: people look into it. */
type Record = Omit<StoredCertificate, 'certificate' | 'packed' | 'keyFault'> &
  ReturnType<typeof unpack> & {
    /** See sealOf; absent in records of former releases. */
    readonly seal?: string | undefined
  }

/** One value for all of it, so that a key and a certificate of different generations can never meet. */
function keyOf(id: string): string {
  return placeOf('certificates', id)
}

/** Where the one is kept that was there before, for as long as the one that took its place lacks some of its names. */
export function formerIdOf(id: string): string {
  return `${FORMER}${createHash('sha256').update(id).digest('hex').slice(0, 32)}`
}

const FORMER = 'former.'

/** Whether it is the place of one that is kept for names that its successor lacks. */
export function isFormerId(id: string): boolean {
  return id.startsWith(FORMER)
}

/** What the plan looks at. `suggestedAt` is the CA's word on when to renew it, `revoked` on when it did so and why. */
export function factsOfStored(stored: StoredCertificate, suggestedAt?: number, revoked?: string): HeldFacts {
  const { certificate, names, mustStaple, replacesRevoked, issuer, authority, obtainedAt, revokedByHand, keyFault } =
    stored
  const { keyKind, notBefore, notAfter, fingerprint } = certificate
  const times = { notBefore, notAfter, obtainedAt, suggestedAt, spreadAt: stored.spreadAt }
  const asset = { names, keyKind, keyFault, mustStaple, fingerprint, issuer, authority }
  return { ...asset, revoked: revokedByHand ?? revoked, replacesRevoked, ...times }
}

/** Takes a CA's answer that can be served now, and is what was wanted; its chain is written anew. Throws PkiError. */
export function acceptIssued(
  { chain: received, privateKey }: IssuedCertificate,
  { names, keyKind, mustStaple }: WantedCertificate,
  { name: issuer, authority }: Pick<Issuer, 'name' | 'authority'>,
  now: number,
): StoredCertificate {
  const certificates = parseChain(received)
  const [certificate] = certificates
  const key = importPrivateKey(privateKey)
  checkIssued(certificates, { privateKey: key, names, now })
  if (certificate.keyKind !== keyKind) {
    const message = `The certificate is for a key of another kind than ${keyKind}, which it was asked for.`
    throw new PkiError('certificate-key-mismatch', message, { keyKind: certificate.keyKind })
  }
  checkServable(certificates, privateKey)
  const asked = { names, mustStaple, replacesRevoked: false, issuer, authority, obtainedAt: now }
  return { ...asked, certificate: leafOf(certificate), packed: pack(certificates, key) }
}

/** Throws StorageError `storage-unwritable`; what was stored before then stands. */
export function storeCertificate(storage: Storage, id: string, stored: StoredCertificate): Promise<void> {
  const { certificate: _, keyFault: __, packed, ...asked } = stored
  const record: Record = { ...asked, ...unpack(packed) }
  const sealed: Record = { ...record, seal: sealOf(record) }
  return storage.put(keyOf(id), Buffer.from(`${JSON.stringify(sealed, undefined, 2)}\n`))
}

/**
 * What the storage holds, if it is whole and OpenSSL serves it: its dates are not looked at, as an expired certificate
 * tells more than none. What is damaged is reported by name, set aside and then as if it were not there. Throws
 * StorageError `storage-unreadable`.
 *
 * @param accountKeys fingerprints of keys that no certificate may have.
 */
export async function loadCertificate(
  storage: Storage,
  id: string,
  log: Log,
  accountKeys: ReadonlySet<string> = new Set(),
): Promise<StoredCertificate | undefined> {
  try {
    const stored = await readCertificate(storage, id, accountKeys)
    if (stored?.keyFault === undefined) return stored
    const message = `The certificate ${id} is replaced at once: ${stored.keyFault} (RFC 8555 §11.1).`
    log.error('account-key-reused', message, { certificate: id })
    return stored
  } catch (error) {
    if (!(error instanceof PkiError)) throw error
    const file = storage.locate(keyOf(id))
    const whereabouts = await setAside(storage, keyOf(id))
    const message = `The certificate in ${file} is damaged: ${describeError(error)} ${whereabouts} A new one is ordered.`
    log.error('certificate-damaged', message, { certificate: id, file })
    return undefined
  }
}

/** Where an operator finds a stored certificate. */
export function locateCertificate(storage: StorageReader, id: string): string {
  return storage.locate(keyOf(id))
}

/** The ids of all that the storage holds, wanted or not. Throws StorageError `storage-unreadable`. */
export async function storedCertificateIds(storage: StorageReader): Promise<string[]> {
  return (await storage.list('certificates')).map((key) => key.slice(keyOf('').length))
}

/** What the storage holds under an id, and nothing is done about it if it is damaged. Throws StorageError or PkiError. */
export async function readCertificate(
  storage: StorageReader,
  id: string,
  accountKeys: ReadonlySet<string> = new Set(),
): Promise<StoredCertificate | undefined> {
  const value = await storage.get(keyOf(id))
  return value === undefined ? undefined : readRecord(value, accountKeys)
}

function readRecord(value: Buffer, accountKeys: ReadonlySet<string>): StoredCertificate {
  const record = parseRecord(value)
  const { chain, privateKey, seal, ...asked } = record
  const { certificates, packed } = seal === sealOf(record) ? readSealed(record) : readUnsealed(record)
  const [certificate] = certificates
  checkServable(certificates, privateKey)
  const stored = { ...asked, certificate: leafOf(certificate), packed }
  // RFC 8555 §11.1: whoever can misuse one key must not have the other. Such a certificate serves until it is replaced.
  const isAccountKey = accountKeys.size > 0 && accountKeys.has(publicKeyFingerprint(certificate.publicKey))
  return isAccountKey ? { ...stored, keyFault: ACCOUNT_KEY } : stored
}

type Material = { readonly certificates: CertificateChain; readonly packed: PackedCertificate }

/** Whoever has changed it by hand, or an older release, may have put there what does not go together. */
function readUnsealed({ chain, privateKey, names }: Record): Material {
  const certificates = parseChain(chain)
  const key = importPrivateKey(privateKey)
  checkIssued(certificates, { privateKey: key, names, now: certificates[0].notBefore })
  return { certificates, packed: pack(certificates, key) }
}

/** What was looked at whole when it was stored: signatures of a hundred thousand take a minute, and their keys some more. */
function readSealed({ chain, privateKey }: Record): Material {
  const [leaf, ...issuers] = decodeCertificateChain(chain)
  const certificates = [parseCertificate(leaf), ...issuers.map(knownIssuer)] as const
  return { certificates, packed: packDer([leaf, ...issuers], decodePrivateKey(privateKey)) }
}

/** CAs sign with few intermediates at a time, and a parsed one takes 20 kB. */
const MAX_KNOWN_ISSUERS = 100
const knownIssuers = new LRUCache<string, CertificateChain[0]>({ max: MAX_KNOWN_ISSUERS })

function knownIssuer(der: Buffer): CertificateChain[0] {
  const key = der.toString('latin1')
  const issuer = knownIssuers.get(key) ?? parseCertificate(der)
  knownIssuers.set(key, issuer)
  return issuer
}

/** Shows that the parts were stored together and have not changed since; it keeps out accidents, and nobody who can write. */
function sealOf({ names, chain, privateKey }: Record): string {
  return createHash('sha256')
    .update(JSON.stringify([names, chain, privateKey]))
    .digest('hex')
}

const ACCOUNT_KEY = 'its key is that of an ACME account, which must never be a certificate’s'

/** Without JSON.parse's own error as a cause: it may quote the key. */
function parseRecord(value: Buffer): Record {
  let record: Partial<Record> | null
  try {
    record = JSON.parse(value.toString('utf8'))
  } catch {
    throw new PkiError('certificate-malformed', 'The record is not JSON, or is cut off.')
  }
  const { issuer, authority, obtainedAt, names, chain, privateKey } = record ?? {}
  const areTexts = [issuer, authority, chain, privateKey].every((text) => typeof text === 'string')
  const areNames = Array.isArray(names) && names.length > 0 && names.every((name) => typeof name === 'string')
  if (areTexts && areNames && Number.isFinite(obtainedAt)) return pickRecord(record as Record)
  throw new PkiError('certificate-malformed', 'The record lacks a part.')
}

/** Nothing else that may stand there; what older records lack is false. */
function pickRecord(record: Record): Record {
  const { issuer, authority, obtainedAt, names, chain, privateKey } = record
  const seal = typeof record.seal === 'string' ? record.seal : undefined
  const [mustStaple, replacesRevoked] = [record.mustStaple === true, record.replacesRevoked === true]
  const revokedByHand = typeof record.revokedByHand === 'string' ? record.revokedByHand : undefined
  const spreadAt = Number.isFinite(record.spreadAt) ? record.spreadAt : undefined
  const asked = { names, mustStaple, replacesRevoked, issuer, authority, obtainedAt, chain, privateKey, seal }
  return {
    ...asked,
    ...(revokedByHand !== undefined && { revokedByHand }),
    ...(spreadAt !== undefined && { spreadAt }),
  }
}
