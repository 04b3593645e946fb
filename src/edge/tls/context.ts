import { constants, createPrivateKey, X509Certificate } from 'node:crypto'
import { createSecureContext, type SecureContext } from 'node:tls'
import { LRUCache } from 'lru-cache'

/**
 * What Mozilla calls intermediate (https://wiki.mozilla.org/Security/Server_Side_TLS, without its DHE suites, which nothing
 * needs that speaks TLS 1.2 today). The client chooses among them, as they are all good and it knows whether it has AES in
 * hardware.
 */
const CIPHERS = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':')

/** One certificate, with its key: PEM. */
type KeyedCertificate = { readonly chain: string; readonly privateKey: string }

/** Throws what OpenSSL says of a certificate or key that it does not take. */
export function createContext({ chain, privateKey }: KeyedCertificate): SecureContext {
  // OpenSSL files keys by their type, so one of another type than the certificate's would fail only in each handshake.
  if (!new X509Certificate(chain).checkPrivateKey(createPrivateKey(privateKey)))
    throw new TypeError('its private key belongs to another certificate')
  return createSecureContext({
    cert: chain,
    key: privateKey,
    minVersion: 'TLSv1.2',
    ciphers: CIPHERS,
    // OpenSSL's own list, which begins with X25519MLKEM768 where it has that (3.5).
    ecdhCurve: 'auto',
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
  })
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
