import type { AddressRules } from '../../guards.ts'
import { AddressSet } from '../address-set.ts'
import type { Middleware, Refuse } from './middleware.ts'

const FORBIDDEN = 403

/**
 * Answers 403 to clients whose address is denied, or not among those that are allowed. It is the address that trusted proxies
 * vouch for, and nothing that a client says of itself.
 */
export function clientAddresses({ allow, deny }: AddressRules, refuse: Refuse): Middleware {
  const denied = new AddressSet(deny)
  const allowed = allow && new AddressSet(allow)
  return (next) => (exchange, facts) => {
    const { clientAddress } = facts.origin
    if (denied.has(clientAddress) || allowed?.has(clientAddress) === false)
      return refuse(exchange, facts, { status: FORBIDDEN, why: 'address-denied' })
    next(exchange, facts)
  }
}
