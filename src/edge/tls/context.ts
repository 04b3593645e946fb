import { createPrivateKey, X509Certificate } from 'node:crypto'
import { createSecureContext, type SecureContext } from 'node:tls'
import { LRUCache } from 'lru-cache'
import { tlsPolicy } from '../../tls-policy.ts'

/** One certificate, with its key: PEM. */
type KeyedCertificate = { readonly chain: string; readonly privateKey: string }

/** Throws what OpenSSL says of a certificate or key that it does not take. */
export function createContext({ chain, privateKey }: KeyedCertificate): SecureContext {
  // OpenSSL files keys by their type, so one of another type than the certificate's would fail only in each handshake.
  if (!new X509Certificate(chain).checkPrivateKey(createPrivateKey(privateKey)))
    throw new TypeError('its private key belongs to another certificate')
  return createSecureContext({ ...tlsPolicy, cert: chain, key: privateKey })
}

/** A context costs 28 to 36 kB and 0.14 ms: those in use are kept, the others made again when asked for. */
const MAX_CONTEXTS = 1_000

/** The contexts of the certificates that are in use, by the certificates' ids. */
export class ContextCache {
  readonly #contexts = new LRUCache<string, SecureContext>({ max: MAX_CONTEXTS })

  /** Throws what OpenSSL says of a certificate or key that it does not take. */
  get(certificate: KeyedCertificate & { readonly id: string }): SecureContext {
    const known = this.#contexts.get(certificate.id)
    if (known !== undefined) return known
    const context = createContext(certificate)
    this.#contexts.set(certificate.id, context)
    return context
  }

  drop(id: string): void {
    this.#contexts.delete(id)
  }
}
