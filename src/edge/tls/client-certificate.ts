import type { X509Certificate } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import type { ClientAuth, ClientTls } from '../../guards.ts'

/** What a connection was asked for in TLS, beyond what is usual, and what the client has shown. */
export type ClientProof = {
  /** `tlsPolicyId` of what was asked. */
  readonly policy: string
  /** undefined if it has shown none, or was not asked. */
  readonly certificate: ClientCertificate | undefined
}

export type ClientCertificate = {
  /** Why it is not to be believed, as OpenSSL calls it; undefined if somebody whom the site trusts has signed it. */
  readonly fault: string | undefined
  /** Client-Cert, and Client-Cert-Chain where the site asks for it (RFC 9440 §2.2, §2.3). */
  readonly fields: readonly string[]
}

const ids = new WeakMap<ClientTls, string>()

/** The same for the same settings, wherever they stand. */
export function tlsPolicyId(policy: ClientTls): string {
  const known = ids.get(policy)
  if (known !== undefined) return known
  const id = JSON.stringify(policy)
  ids.set(policy, id)
  return id
}

/** What the client of a connection has shown, whose handshake has just ended. */
export function proofOf(socket: TLSSocket, policy: ClientTls): ClientProof {
  const id = tlsPolicyId(policy)
  const shown = policy.clientAuth && socket.getPeerX509Certificate()
  if (policy.clientAuth === undefined || shown === undefined) return { policy: id, certificate: undefined }
  const fault = verifyFault(socket)
  return { policy: id, certificate: { fault, fields: fault === undefined ? fieldsOf(shown, policy.clientAuth) : [] } }
}

/** Only a tls.Server asks OpenSSL for it, and makes it public: a TLSSocket alone has it here. */
type Verifying = { readonly _handle: { verifyError(): (Error & { code?: string }) | null | undefined } }

function verifyFault(socket: TLSSocket): string | undefined {
  const error = (socket as unknown as Verifying)._handle.verifyError()
  return error ? (error.code ?? error.message) : undefined
}

function fieldsOf(shown: X509Certificate, { sendsChain }: ClientAuth): string[] {
  const fields = ['Client-Cert', byteSequence(shown)]
  const chain = sendsChain ? issuersOf(shown).map(byteSequence) : []
  return chain.length === 0 ? fields : [...fields, 'Client-Cert-Chain', chain.join(', ')]
}

/**
 * The authorities in between that the client has sent, from its issuer on, without what signs itself (RFC 9440 §2.3). OpenSSL
 * has verified the client's certificate, and not whatever else was sent: who has not signed the one before is none of them.
 */
function issuersOf(certificate: X509Certificate): X509Certificate[] {
  const issuers: X509Certificate[] = []
  for (let at = certificate; at.issuerCertificate !== undefined; at = at.issuerCertificate) {
    const issuer = at.issuerCertificate
    if (issuer.checkIssued(issuer) || !at.verify(issuer.publicKey)) break
    issuers.push(issuer)
  }
  return issuers
}

/** RFC 8941 §3.3.5. */
function byteSequence({ raw }: X509Certificate): string {
  return `:${raw.toString('base64')}:`
}
