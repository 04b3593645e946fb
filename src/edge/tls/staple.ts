import type { TLSSocket } from 'node:tls'

/** The part of Node's TLSWrap with which a tls.Server passes on what its listeners of `OCSPRequest` give. */
type Handle = { setOCSPResponse(response: Buffer): void }

/**
 * Sends this OCSP response, DER, with the certificate to a client that asked for it (RFC 6066 §8, RFC 8446 §4.4.2.1). To be
 * called right after the socket is made, before it has read anything. A TLSSocket without a tls.Server has no public way.
 */
export function attachStaple(socket: TLSSocket, response: Buffer): void {
  const { _handle: handle } = socket as unknown as { readonly _handle: Handle | null }
  handle?.setOCSPResponse(response)
}
