import type { RevocationReason } from '../acme/revocation.ts'
import { CastellanError } from '../errors.ts'
import type { Issuer } from '../issuers/issuer.ts'
import type { Clock } from '../system/clock.ts'
import { isFrom } from './issuance.ts'
import { unpack, unpackChain } from './packed-certificate.ts'
import type { StoredCertificate } from './record.ts'
import { spokenTime } from './spoken-time.ts'
import type { WantedCertificate } from './wanted.ts'

/** Who gave a certificate cannot be asked to revoke it. */
export class RevocationError extends CastellanError {
  declare readonly code: 'revocation-impossible'
}

/**
 * Has a certificate revoked by the CA that gave it. Gives it as it is to be stored then: the plan replaces what is revoked at
 * once, and every order has a new key. Throws RevocationError, or what the issuer rejects with.
 */
export async function revokeHeld(
  { site }: WantedCertificate,
  held: StoredCertificate,
  reason: RevocationReason,
  { issuers, clock }: { readonly issuers: ReadonlyMap<string, Issuer>; readonly clock: Clock },
  signal: AbortSignal,
): Promise<StoredCertificate> {
  const issuer = issuers.get(held.issuer)
  if (issuer === undefined || !isFrom(issuer, held)) throw goneIssuer(held)
  if (issuer.revoke === undefined) throw withoutRevocation(held)
  const [certificate] = unpackChain(held.packed)
  const { privateKey } = unpack(held.packed)
  await issuer.revoke({ certificate, privateKey, site, reason }, signal)
  return { ...held, revokedByHand: `at ${spokenTime(clock.now())}, by hand (${reason})` }
}

function goneIssuer({ issuer, authority }: StoredCertificate): RevocationError {
  const message = `It came from ${issuer}, which was ${authority} then and is not any more: put that CA back into "issuers", or ask it by other means.`
  return new RevocationError('revocation-impossible', message, { issuer, authority })
}

function withoutRevocation({ issuer }: StoredCertificate): RevocationError {
  const message = `${issuer} keeps no list of revoked certificates; "castellan certs renew" replaces it by one with a new key.`
  return new RevocationError('revocation-impossible', message, { issuer })
}
