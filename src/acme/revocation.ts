import { notOffered } from './account-care.ts'
import type { AcmeClient, Signer } from './client.ts'
import { isProblem } from './problem.ts'

/** Why a certificate is revoked: those of RFC 5280 §5.3.1 that public CAs take from subscribers, by their names there. */
export const revocationReasons = {
  unspecified: 0,
  keyCompromise: 1,
  superseded: 4,
  cessationOfOperation: 5,
} as const
export type RevocationReason = keyof typeof revocationReasons

/** A reason by its name or its number; undefined for what is none that a subscriber may give. */
export function revocationReason(text: string): RevocationReason | undefined {
  const found = Object.entries(revocationReasons).find(([name, code]) => text === name || text === String(code))
  return found?.[0] as RevocationReason | undefined
}

/**
 * Revokes a certificate (DER), signed by an account that may or by the certificate's own key (RFC 8555 §7.6). One that was
 * revoked already is as good. Throws AcmeError, `acme-not-offered` where the CA has no such thing.
 */
export async function revokeCertificate(
  client: AcmeClient,
  signer: Signer,
  { certificate, reason }: { readonly certificate: Uint8Array; readonly reason: RevocationReason },
  signal: AbortSignal,
): Promise<void> {
  const { revokeCert } = client.directory
  if (revokeCert === undefined) throw notOffered(client.server, 'to revoke a certificate')
  const payload = { certificate: Buffer.from(certificate).toString('base64url'), reason: revocationReasons[reason] }
  try {
    await client.post(revokeCert, payload, signer, { what: 'to revoke a certificate', signal })
  } catch (error) {
    if (!isProblem(error, 'alreadyRevoked')) throw error
  }
}
