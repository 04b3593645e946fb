import { constants, createPrivateKey, X509Certificate } from 'node:crypto'
import type { SecureContext, SecureContextOptions } from 'node:tls'
import { LRUCache } from 'lru-cache'
import type { ClientTls } from '../../guards.ts'
import { tls } from '../../system/tls.ts'
import { tlsPolicy } from '../../tls-policy.ts'
import type { CertificateMaterial, CertificateSnapshot } from '../snapshot.ts'
import { tlsPolicyId } from './client-certificate.ts'
import { deriveTicketKeys, keyNameOfTicket, type TicketSecrets, ticketKeyName } from './ticket-keys.ts'

/** One certificate, with its key: PEM. */
type KeyedCertificate = Pick<CertificateMaterial, 'chain' | 'privateKey'>

type NamedCertificate = Pick<CertificateSnapshot, 'id' | 'names'>

/** How long a session can be resumed, in seconds: as long as its ticket's keys are newest, and they are taken once more. */
const SESSION_SECONDS = 12 * 60 * 60

/** Without keys for tickets, nobody can resume. Throws what OpenSSL says of a certificate or key that it does not take. */
export function createContext(
  { chain, privateKey }: KeyedCertificate,
  ticketKeys?: Buffer,
  policy?: ClientTls,
): SecureContext {
  // OpenSSL files keys by their type, so one of another type than the certificate's would fail only in each handshake.
  if (!new X509Certificate(chain).checkPrivateKey(createPrivateKey(privateKey)))
    throw new TypeError('its private key belongs to another certificate')
  return tls.createSecureContext({
    ...tlsPolicy,
    cert: chain,
    key: privateKey,
    sessionTimeout: SESSION_SECONDS,
    // OpenSSL resumes no session of another context's, and all of ours are of one.
    sessionIdContext: 'castellan',
    ...(ticketKeys === undefined ? {} : { ticketKeys }),
    ...(policy && optionsOf(policy)),
  })
}

/**
 * Whoever is asked for a certificate cannot resume: it proves anew each time that it has the key, and its certificate is
 * looked at anew, which may have expired since.
 */
function optionsOf({ minVersion, clientAuth }: ClientTls): SecureContextOptions {
  if (clientAuth === undefined) return { minVersion: `TLSv${minVersion}` }
  return {
    minVersion: `TLSv${minVersion}`,
    ca: clientAuth.trust,
    // Whom the operator vouches for is enough, be it an intermediate authority or one client.
    allowPartialTrustChain: true,
    secureOptions: tlsPolicy.secureOptions | constants.SSL_OP_NO_TICKET,
  }
}

/** Of a context, beyond its chain, in OpenSSL's memory. It takes 0.14 ms to make: those in use are kept, within a bound. */
const CONTEXT_BYTES = 32 * 1024
/** In each worker: room for a thousand names in use. */
const MAX_CONTEXTS_BYTES = 36 * 1024 * 1024

type Entry = { readonly context: SecureContext; readonly ticketKeyName: string; readonly chainBytes: number }

/** The contexts of the certificates that are in use, by the certificates' ids. */
export class ContextCache {
  readonly #entries = new LRUCache<string, Entry>({
    maxSize: MAX_CONTEXTS_BYTES,
    sizeCalculation: ({ chainBytes }) => CONTEXT_BYTES + chainBytes,
  })
  #secrets: TicketSecrets

  constructor(secrets: TicketSecrets) {
    this.#secrets = secrets
  }

  /** From now on tickets are issued and taken with these. */
  useSecrets(secrets: TicketSecrets): void {
    this.#secrets = secrets
    this.#entries.clear()
  }

  /**
   * The context for a client that comes with this ticket. A context knows one set of keys, so a ticket of former ones has a
   * context of its own. Throws what OpenSSL says of a certificate or key that it does not take.
   */
  get(
    certificate: NamedCertificate,
    material: KeyedCertificate,
    policy: ClientTls | undefined,
    ticket: Buffer | undefined,
  ): SecureContext {
    const [newest, ...former] = this.#secrets
    const policyId = policy === undefined ? '' : ` ${tlsPolicyId(policy)}`
    const id = certificate.id + policyId
    const { context, ticketKeyName: name } = this.#entry(certificate, material, newest, policy, id)
    const wanted = ticket && keyNameOfTicket(ticket)
    if (wanted === undefined || wanted === name) return context
    for (const secret of former) {
      if (ticketKeyName(deriveTicketKeys(secret, certificate.names, policyId)) !== wanted) continue
      return this.#entry(certificate, material, secret, policy, `${id} ${wanted}`).context
    }
    return context
  }

  drop(id: string): void {
    for (const key of this.#entries.keys()) if (key === id || key.startsWith(`${id} `)) this.#entries.delete(key)
  }

  #entry(
    { names }: NamedCertificate,
    material: KeyedCertificate,
    secret: string,
    policy: ClientTls | undefined,
    key: string,
  ): Entry {
    const known = this.#entries.get(key)
    if (known !== undefined) return known
    const ticketKeys = deriveTicketKeys(secret, names, policy === undefined ? '' : ` ${tlsPolicyId(policy)}`)
    const entry = {
      context: createContext(material, ticketKeys, policy),
      ticketKeyName: ticketKeyName(ticketKeys),
      chainBytes: material.chain.length,
    }
    this.#entries.set(key, entry)
    return entry
  }
}
