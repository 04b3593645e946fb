import type { ClientTls } from '../../guards.ts'
import type { Exchange, Fields } from '../exchange/exchange.ts'
import type { SiteSnapshot } from '../snapshot.ts'
import { tlsPolicyId } from '../tls/client-certificate.ts'
import type { Middleware, OwnRefusal, Refuse } from './middleware.ts'

/**
 * Serves requests only over connections that were asked in TLS what this site asks. A browser uses a connection for every
 * name on its certificate, so one that was opened for a site that asks for less is misdirected here (RFC 9110 §15.5.20): 421,
 * and the client opens another.
 *
 * A certificate that is missing or wrong is refused here, by 403, and not in the handshake: in TLS 1.3 the client has then
 * sent its request already, and all that it would learn is that the connection broke.
 */
export function clientCertificate(settings: ClientTls, refuse: Refuse): Middleware {
  const id = tlsPolicyId(settings)
  const { clientAuth } = settings
  return (next) => (exchange, facts) => {
    const { certificateNames, proof } = exchange.client
    const isClear = certificateNames === undefined
    if (!isClear && proof?.policy !== id) return refuse(exchange, facts, { status: 421, why: 'tls-not-of-site' })
    const refusal = clientAuth && (isClear ? MISSING : refusalOf(proof?.certificate, clientAuth.mode))
    if (refusal !== undefined) return refuse(exchange, facts, refusal)
    next(exchange, facts)
  }
}

const MISSING: OwnRefusal = { status: 403, why: 'client-certificate-missing' }
const INVALID: OwnRefusal = { status: 403, why: 'client-certificate-invalid' }

function refusalOf(
  certificate: NonNullable<Exchange['client']['proof']>['certificate'],
  mode: 'require' | 'request',
): OwnRefusal | undefined {
  if (certificate === undefined) return mode === 'require' ? MISSING : undefined
  return certificate.fault === undefined ? undefined : INVALID
}

/** What the application is told of the client's certificate (RFC 9440); undefined where the site does not ask for one. */
export function certificateFields({ client }: Pick<Exchange, 'client'>, { tls }: SiteSnapshot): Fields | undefined {
  return tls?.clientAuth && (client.proof?.certificate?.fields ?? [])
}
