import { describeError } from '../errors.ts'
import type { IssuedCertificate } from '../issuers/issuer.ts'
import { type Certificate, checkIssued, parseChain } from '../pki/certificate.ts'
import { importPrivateKey } from '../pki/keys.ts'
import { PkiError } from '../pki/pki-error.ts'
import type { Storage } from '../storage/storage.ts'
import type { Log } from '../telemetry/log.ts'
import type { WantedCertificate } from './wanted.ts'

/** A certificate that we have, with what decides how long it is good for. */
export type StoredCertificate = {
  readonly certificate: Certificate
  /** PEM. */
  readonly chain: string
  /** PEM, PKCS #8. */
  readonly privateKey: string
  /** Who signed it, as the config calls them. */
  readonly issuer: string
  /** Milliseconds since 1970. */
  readonly obtainedAt: number
}

type Record = Omit<StoredCertificate, 'certificate'> & { readonly names: readonly string[] }

/** One value for all of it, so that a key and a certificate of different generations can never meet. */
function keyOf(id: string): string {
  return `certificates/${id}`
}

/** Whether a CA's answer can be served, now. Throws PkiError. */
export function acceptIssued(
  { chain, privateKey }: IssuedCertificate,
  { names }: WantedCertificate,
  issuer: string,
  now: number,
): StoredCertificate {
  const certificates = parseChain(chain)
  checkIssued(certificates, { privateKey: importPrivateKey(privateKey), names, now })
  return { certificate: certificates[0], chain, privateKey, issuer, obtainedAt: now }
}

/** Throws StorageError `storage-unwritable`; what was stored before then stands. */
export function storeCertificate(storage: Storage, id: string, stored: StoredCertificate): Promise<void> {
  const { certificate, ...rest } = stored
  const record: Record = { names: certificate.names, ...rest }
  return storage.put(keyOf(id), Buffer.from(`${JSON.stringify(record, undefined, 2)}\n`))
}

/**
 * What the storage holds, if it is whole: its dates are not looked at, as an expired certificate tells more than none. What
 * is damaged is reported by name, set aside and then as if it were not there. Throws StorageError.
 */
export async function loadCertificate(storage: Storage, id: string, log: Log): Promise<StoredCertificate | undefined> {
  const value = await storage.get(keyOf(id))
  if (value === undefined) return undefined
  try {
    return readRecord(value)
  } catch (error) {
    if (!(error instanceof PkiError)) throw error
    const file = storage.locate(keyOf(id))
    const aside = await storage.setAside(keyOf(id))
    const message = `The certificate in ${file} is damaged: ${describeError(error)} It was set aside as ${aside}, and a new one is ordered.`
    log.error('certificate-damaged', message, { file, aside })
    return undefined
  }
}

function readRecord(value: Buffer): StoredCertificate {
  const { issuer, obtainedAt, chain, privateKey } = parseRecord(value)
  const certificates = parseChain(chain)
  const [certificate] = certificates
  const expectation = { privateKey: importPrivateKey(privateKey), names: certificate.names, now: certificate.notBefore }
  checkIssued(certificates, expectation)
  return { certificate, chain, privateKey, issuer, obtainedAt }
}

/** Without JSON.parse's own error as a cause: it may quote the key. */
function parseRecord(value: Buffer): Record {
  let record: Partial<Record> | null
  try {
    record = JSON.parse(value.toString('utf8'))
  } catch {
    throw new PkiError('certificate-malformed', 'The record is not JSON, or is cut off.')
  }
  const { issuer, obtainedAt, names, chain, privateKey } = record ?? {}
  const areTexts = [issuer, chain, privateKey].every((text) => typeof text === 'string')
  if (areTexts && Number.isFinite(obtainedAt) && Array.isArray(names)) return record as Record
  throw new PkiError('certificate-malformed', 'The record lacks a part.')
}
