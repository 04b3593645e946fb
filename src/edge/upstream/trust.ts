import type { SecureContext } from 'node:tls'
import { trustedAuthorities } from '../../system/authorities.ts'
import { tls } from '../../system/tls.ts'

/**
 * The TLS contexts for upstreams: one for all that trust the same, as each reads some hundred authorities. An authority that
 * is added to the machine's later takes a restart.
 */
export class TrustContexts {
  readonly #byTrust = new Map<string, SecureContext>()

  /** For upstreams whose certificates may be signed by, or be, one of these (PEM), besides what this machine trusts. */
  get(trust = ''): SecureContext {
    const known = this.#byTrust.get(trust)
    if (known !== undefined) return known
    // One certificate of a chain that the operator vouches for is enough, be it the last or the first of it.
    const context = tls.createSecureContext({
      ca: [...trustedAuthorities(), trust],
      allowPartialTrustChain: trust !== '',
    })
    this.#byTrust.set(trust, context)
    return context
  }
}
