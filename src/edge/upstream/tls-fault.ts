import type { PeerCertificate } from 'node:tls'
import { describeError, errorCode } from '../../errors.ts'
import type { PeerSnapshot } from '../snapshot.ts'
import { formatUpstream } from './upstream-name.ts'

/** OpenSSL's verdicts on a chain (X509_V_ERR_*), as Node spells them, each with what to do about it. */
const CHAIN_FAULTS: ReadonlyMap<string, string> = new Map([
  [
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'its certificate is self-signed: give its certificate as upstream.tls.trust, or verify: false',
  ],
  [
    'SELF_SIGNED_CERT_IN_CHAIN',
    'its certificate comes from an authority that is not trusted here: give the certificate of that authority as ' +
      'upstream.tls.trust, or verify: false',
  ],
  ...['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'UNABLE_TO_GET_ISSUER_CERT', 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY'].map(
    (code): [string, string] => [
      code,
      'its certificate comes from an authority that is not known here, or its intermediate certificate is missing: ' +
        'have it send its whole chain, or give the certificate of its authority as upstream.tls.trust, or verify: false',
    ],
  ),
  ['CERT_HAS_EXPIRED', 'its certificate, or that of its authority, has expired: renew it there, or verify: false'],
  ['CERT_NOT_YET_VALID', 'its certificate is not valid yet: compare the clocks of both machines, or verify: false'],
  ['CERT_REVOKED', 'its certificate was revoked: replace it there'],
  ['INVALID_PURPOSE', 'its certificate is not meant for servers: give it one whose key usages say so (serverAuth)'],
])

/** What OpenSSL makes of the answer of a server that speaks no TLS. */
const NO_TLS = new Set(['ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_PACKET_LENGTH_TOO_LONG', 'ERR_SSL_HTTP_REQUEST'])

/** Why TLS with an upstream failed, and the remedy, for an operator of ours; undefined if it was not TLS that failed. */
export function tlsFault(upstream: PeerSnapshot, cause: unknown): string | undefined {
  const code = errorCode(cause) ?? ''
  const known = CHAIN_FAULTS.get(code)
  if (known !== undefined) return `${known} (${code})`
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return `${nameFault(upstream, cause)} (${code})`
  if (NO_TLS.has(code)) return `what it answers is not TLS: ${withoutTls(upstream)} (${code})`
  if (!/^(ERR_SSL_|ERR_TLS_|EPROTO$|CERT_|UNABLE_TO_)/.test(code)) return undefined
  return `TLS with it failed: ${reasonOf(cause)} (${code})`
}

function withoutTls({ address }: PeerSnapshot): string {
  if (address.scheme === 'unix') return 'is it meant to be?'
  return `try ${formatUpstream({ ...address, scheme: address.scheme === 'h2' ? 'h2c' : 'http' })}`
}

function nameFault({ address, tls }: PeerSnapshot, cause: unknown): string {
  const asked = tls.serverName ?? (address.scheme === 'unix' ? '' : address.host)
  const names = namesOf((cause as { cert?: PeerCertificate }).cert)
  return `its certificate is for ${names}, not for ${asked}: give a name that it has as upstream.tls.serverName`
}

/** As OpenSSL lists them: `DNS:a.test, IP Address:192.0.2.1`. The upstream's own words, so no more than a line of them. */
function namesOf(certificate: PeerCertificate | undefined): string {
  const names = (certificate?.subjectaltname ?? '').replaceAll(/(DNS|IP Address):/g, '')
  if (names === '') return 'no name at all'
  return names.length > MAX_NAMES_CHARACTERS ? `${names.slice(0, MAX_NAMES_CHARACTERS)}…` : names
}

const MAX_NAMES_CHARACTERS = 200

/** OpenSSL's reason without its error queue, and Node's message without advice on Node's own command line. */
function reasonOf(cause: unknown): string {
  const { reason } = cause as { reason?: unknown }
  return typeof reason === 'string' ? reason : describeError(cause).split(';')[0]!
}
