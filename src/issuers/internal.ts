import { CastellanError, describeError } from '../errors.ts'
import {
  type CertificateAuthority,
  createCertificateAuthority,
  issueCertificate,
  openCertificateAuthority,
} from '../pki/certificate-authority.ts'
import { exportPrivateKey, generateKey } from '../pki/keys.ts'
import { PkiError } from '../pki/pki-error.ts'
import { type Storage, StorageError } from '../storage/storage.ts'
import type { Clock } from '../system/clock.ts'
import type { Log } from '../telemetry/log.ts'
import type { CertificateRequest, IssuedCertificate, Issuer, IssuerIdentity } from './issuer.ts'

/** Our own CA, for names that no public CA certifies. Its root is made at the first need and kept in the storage. */
export interface InternalIssuer extends Issuer {
  /**
   * The certificate that devices must trust, and where the operator finds it. Makes the CA if there is none. Throws
   * StorageError.
   */
  rootCertificate(): Promise<{ pem: string; location: string }>
}

/** What our own CA is, whichever root it has. */
export const internalIdentity: IssuerIdentity = { name: 'internal', authority: 'internal', settings: '' }

/** Certificate and key in one value, so that they are never of different generations. */
const AUTHORITY_KEY = 'issuers/internal/authority'

/** The certificate alone, to be copied to the devices that shall trust it. */
const ROOT_KEY = 'issuers/internal/root.crt'

const HOUR_MS = 60 * 60 * 1000
const DAY_MS = 24 * HOUR_MS

/** Renewal costs nothing here, so a lost key is worth little for long. */
const LEAF_LIFETIME_MS = 30 * DAY_MS

/** The root's last day would only see certificates of hours, then minutes, so it is replaced when that begins. */
const ROOT_LAST_USE_MS = DAY_MS

/** A root that begins later than this from now was made by a clock that was ahead, or the clock is behind now. */
const CLOCK_TOLERANCE_MS = HOUR_MS

/** Time enough to bring a new root to every device; Castellan says so once a day. */
const ROOT_WARNING_MS = 365 * DAY_MS

type Surroundings = {
  readonly storage: Storage
  readonly clock: Clock
  readonly log: Log
  /** What people find the root by in their device's list: `Castellan internal CA, gateway.example`. */
  readonly label: string
}

/**
 * Opens the CA in the storage, if there is one: a damaged or expired root is set aside, reported and replaced at once, as
 * whoever trusted it must trust the new one. Throws StorageError.
 */
export async function openInternalIssuer(surroundings: Surroundings): Promise<InternalIssuer> {
  const issuer = new StoredAuthorityIssuer(surroundings)
  if ((await surroundings.storage.get(AUTHORITY_KEY)) !== undefined) await issuer.rootCertificate()
  return issuer
}

class StoredAuthorityIssuer implements InternalIssuer {
  readonly name = internalIdentity.name
  readonly authority = internalIdentity.authority
  readonly settings = internalIdentity.settings
  readonly #storage: Storage
  readonly #clock: Clock
  readonly #log: Log
  readonly #label: string
  #authority: CertificateAuthority | undefined
  #opening: Promise<CertificateAuthority> | undefined
  #warnedAt = Number.NEGATIVE_INFINITY

  constructor({ storage, clock, log, label }: Surroundings) {
    this.#storage = storage
    this.#clock = clock
    this.#log = log
    this.#label = label
  }

  async issue({ names, keyKind }: CertificateRequest, signal: AbortSignal): Promise<IssuedCertificate> {
    signal.throwIfAborted()
    const authority = await this.#current()
    signal.throwIfAborted()
    const { publicKey, privateKey } = await generateKey(keyKind)
    signal.throwIfAborted()
    const now = this.#clock.now()
    const chain = await issueCertificate(authority, { names, publicKey, now, lifetimeMs: LEAF_LIFETIME_MS })
    signal.throwIfAborted()
    return { chain, privateKey: exportPrivateKey(privateKey) }
  }

  async rootCertificate(): Promise<{ pem: string; location: string }> {
    const { certificate } = await this.#current()
    const pem = certificate.x509.toString()
    await this.#publishRoot(pem)
    return { pem, location: this.#storage.locate(ROOT_KEY) }
  }

  /** The CA in use. Whoever asks while it is being opened or made waits for that one; after a failure one asks anew. */
  async #current(): Promise<CertificateAuthority> {
    let authority = this.#authority
    if (authority === undefined || this.#isSpent(authority)) {
      this.#opening ??= this.#reopen()
      authority = await this.#opening
    }
    this.#warnOfTimes(authority)
    return authority
  }

  async #reopen(): Promise<CertificateAuthority> {
    try {
      this.#authority = await this.#open()
      return this.#authority
    } finally {
      this.#opening = undefined
    }
  }

  async #open(): Promise<CertificateAuthority> {
    const stored = await this.#storage.get(AUTHORITY_KEY)
    if (stored === undefined) return this.#create()
    const opened = await openRecord(stored)
    if (opened instanceof CastellanError) return this.#replaceDamaged(opened)
    if (this.#isSpent(opened)) return this.#replaceSpent(opened)
    await this.#publishRoot(opened.certificate.x509.toString())
    return opened
  }

  async #create(): Promise<CertificateAuthority> {
    const authority = await createCertificateAuthority({ label: this.#label, now: this.#clock.now() })
    const certificate = authority.certificate.x509.toString()
    const record = { certificate, privateKey: exportPrivateKey(authority.privateKey) }
    await this.#storage.put(AUTHORITY_KEY, Buffer.from(`${JSON.stringify(record, undefined, 2)}\n`))
    await this.#publishRoot(certificate)
    const location = this.#storage.locate(ROOT_KEY)
    const message = `Made an internal CA. Devices that shall trust its certificates must trust ${location}.`
    this.#log.info('internal-ca-created', message, rootFacts(authority, location))
    return authority
  }

  async #replaceDamaged(damage: CastellanError): Promise<CertificateAuthority> {
    const record = this.#storage.locate(AUTHORITY_KEY)
    const aside = await this.#storage.setAside(AUTHORITY_KEY)
    const location = this.#storage.locate(ROOT_KEY)
    this.#log.error(
      'internal-ca-damaged',
      `The internal CA in ${record} is damaged and was set aside as ${aside}. A new one takes its place: every device ` +
        `must now trust the new root, ${location}. If you have a backup of ${record}, stop Castellan and put it back.`,
      { record, aside, location, reason: describeError(damage) },
    )
    return this.#create()
  }

  async #replaceSpent(spent: CertificateAuthority): Promise<CertificateAuthority> {
    const aside = await this.#storage.setAside(AUTHORITY_KEY)
    const location = this.#storage.locate(ROOT_KEY)
    this.#log.error(
      'internal-ca-expired',
      `The internal CA's root ends on ${endOf(spent)} and was set aside as ${aside}. A new one takes its place: every ` +
        `device must now trust the new root, ${location}. If this machine's clock is wrong, stop Castellan, set the ` +
        'clock and put the old one back.',
      { aside, ...rootFacts(spent, location) },
    )
    return this.#create()
  }

  /** A full disk must not keep a sound CA from signing: the copy is made when there is room again. */
  async #publishRoot(pem: string): Promise<void> {
    try {
      const published = await this.#storage.get(ROOT_KEY)
      if (published?.equals(Buffer.from(pem)) !== true) await this.#storage.put(ROOT_KEY, Buffer.from(pem))
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      const location = this.#storage.locate(ROOT_KEY)
      const message = `The internal CA's root certificate could not be written to ${location}; the CA itself works on.`
      this.#log.warn('internal-root-unwritten', message, { location, reason: describeError(error) })
    }
  }

  #isSpent({ certificate }: CertificateAuthority): boolean {
    return certificate.notAfter - this.#clock.now() < ROOT_LAST_USE_MS
  }

  /** Once a day, and anew after the clock was set back. */
  #warnOfTimes(authority: CertificateAuthority): void {
    const now = this.#clock.now()
    if (Math.abs(now - this.#warnedAt) < DAY_MS) return
    const { notBefore, notAfter } = authority.certificate
    if (notBefore > now + CLOCK_TOLERANCE_MS) this.#warnOfBeginning(authority)
    else if (notAfter - now < ROOT_WARNING_MS) this.#warnOfExpiry(authority)
    else return
    this.#warnedAt = now
  }

  /** It is not replaced: a clock that is behind until the network is up must not cost every device its trust. */
  #warnOfBeginning(authority: CertificateAuthority): void {
    const record = this.#storage.locate(AUTHORITY_KEY)
    const begin = new Date(authority.certificate.notBefore).toISOString().slice(0, 16)
    this.#log.error(
      'internal-ca-not-yet-valid',
      `The internal CA's root begins at ${begin} UTC, and clients refuse its certificates until then. If this machine's ` +
        'clock is wrong, set it. If it is right, it was ahead when the root was made: stop Castellan, move ' +
        `${record} away, start it, and give devices the new root.`,
      { record, ...rootFacts(authority, this.#storage.locate(ROOT_KEY)) },
    )
  }

  #warnOfExpiry(authority: CertificateAuthority): void {
    const record = this.#storage.locate(AUTHORITY_KEY)
    this.#log.warn(
      'internal-ca-expires',
      `The internal CA's root ends on ${endOf(authority)}; a new one then takes its place, which devices do not trust ` +
        `yet. To choose the day yourself, stop Castellan, move ${record} away, start it, and give devices the new root.`,
      { record, ...rootFacts(authority, this.#storage.locate(ROOT_KEY)) },
    )
  }
}

/** Gives what is wrong with the record instead of throwing it, so that a failure of the storage cannot pass for damage. */
async function openRecord(record: Buffer): Promise<CertificateAuthority | CastellanError> {
  try {
    return await openCertificateAuthority(parseRecord(record))
  } catch (error) {
    if (error instanceof CastellanError) return error
    throw error
  }
}

/** Without JSON.parse's own error as a cause: it may quote the key. */
function parseRecord(record: Buffer): { certificate: string; privateKey: string } {
  let value: unknown
  try {
    value = JSON.parse(record.toString('utf8'))
  } catch {
    throw new PkiError('authority-invalid', 'The record is not JSON, or is cut off.')
  }
  const { certificate, privateKey }: Record<string, unknown> = { ...Object(value) }
  if (typeof certificate === 'string' && typeof privateKey === 'string') return { certificate, privateKey }
  throw new PkiError('authority-invalid', 'The record lacks the certificate or the private key.')
}

function endOf({ certificate }: CertificateAuthority): string {
  return new Date(certificate.notAfter).toISOString().slice(0, 10)
}

function rootFacts({ certificate }: CertificateAuthority, location: string): Record<string, string> {
  const { fingerprint, subject, notAfter } = certificate
  return { location, fingerprint, subject, notAfter: new Date(notAfter).toISOString() }
}
