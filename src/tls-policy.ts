import { constants } from 'node:crypto'
import type { SecureContextOptions } from 'node:tls'

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

/**
 * How clients are served, whatever the certificate. What OpenSSL takes depends on it: the ciphers bear its security level,
 * which sets the least size of a key. So whoever tries a certificate tries it with these, and whoever serves it does too.
 */
export const tlsPolicy = {
  minVersion: 'TLSv1.2',
  ciphers: CIPHERS,
  // OpenSSL's own list, which begins with X25519MLKEM768 where it has that (3.5).
  ecdhCurve: 'auto',
  secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
} as const satisfies SecureContextOptions
