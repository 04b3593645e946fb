import { AddressSet } from '../../edge/address-set.ts'
import { fieldValue, fieldValues } from '../../edge/fields.ts'
import { originTest } from '../../edge/middleware/cors.ts'
import type { AddressRules, Auth, ClientTls, Cors, RateKey, RateLimit } from '../../guards.ts'
import type { AskedRequest } from './asked-request.ts'
import type { PolicyStep } from './policy-words.ts'

/** Which addresses are served. Where `--from` is not given, it is not known whether this one is. */
export function explainAddresses({ allow, deny }: AddressRules, { from }: AskedRequest): PolicyStep {
  const isDenied =
    from !== undefined && (new AddressSet(deny).has(from) || (allow && new AddressSet(allow).has(from)) === false)
  const rules = [...(allow ? [`only ${allow.join(', ')}`] : []), ...(deny.length > 0 ? [`not ${deny.join(', ')}`] : [])]
  const words = rules.join('; ')
  const step = 'addresses'
  if (isDenied) return { step, is: `${from} is not served: ${words}`, refusal: { status: 403, why: 'address-denied' } }
  return { step, is: from === undefined ? `${words}; others: 403` : `${from} is served: ${words}` }
}

export function explainRateLimit({ requests, periodMs, burst, by, scope }: RateLimit): PolicyStep {
  const rate = `${requests} requests in ${periodMs / 1000} s by ${keyName(by)}, ${burst} at once`
  return { step: 'rateLimit', is: `${rate}, counted for this ${scope}; beyond: 429` }
}

function keyName(by: RateKey): string {
  return by.type === 'clientAddress' ? 'address' : `the ${by.type} ${by.name}`
}

/** What browsers are told of pages of other origins; a preflight goes no further (as in the data plane). */
export function explainCors({ origins }: Cors, { method, fields }: AskedRequest): PolicyStep {
  const step = 'cors'
  const given = fieldValues(fields, 'origin')
  const [origin] = given
  if (origin === undefined) return { step, is: `pages of ${listed(origins)} may use it` }
  const isAllowed = given.length === 1 && originTest(origins)(origin)
  const isPreflight = method === 'OPTIONS' && fieldValue(fields, 'access-control-request-method') !== undefined
  if (isAllowed) {
    const answer = { status: 204, why: undefined }
    return { step, is: `pages of ${origin} may use it`, refusal: isPreflight ? answer : undefined }
  }
  const is = `pages of ${origin} may not use it, only those of ${listed(origins)}`
  return { step, is, refusal: isPreflight ? { status: 403, why: 'origin-denied' } : undefined }
}

function listed(origins: Cors['origins']): string {
  return origins === '*' ? 'every origin' : origins.join(', ')
}

/** What is asked of clients in TLS, and what becomes of those that speak none. */
export function explainTls(tls: ClientTls, { scheme }: AskedRequest): PolicyStep {
  if (scheme === 'https') return { step: 'tls', is: tlsWords(tls) }
  if (tls.clientAuth === undefined) return { step: 'tls', is: 'nothing is asked over plain HTTP' }
  const refusal = { status: 403, why: 'client-certificate-missing' }
  return { step: 'tls', is: 'over plain HTTP no client can show its certificate', refusal }
}

/** What a site asks of clients in TLS. */
export function tlsWords({ minVersion, clientAuth }: ClientTls): string {
  const certificate = { require: 'a certificate is required; without: 403', request: 'a certificate is asked for' }
  return [`TLS ${minVersion} or newer`, ...(clientAuth ? [certificate[clientAuth.mode]] : [])].join('; ')
}

export function explainAuth(auth: Auth): PolicyStep {
  if (auth.type === 'basic') {
    const users = auth.users.length === 1 ? '1 user' : `${auth.users.length} users`
    return { step: 'auth', is: `a name and a password are asked for (${users}); without: 401` }
  }
  const { scheme, host, port } = auth.service.address
  const service = `${scheme}://${host}:${port}${auth.target}`
  return { step: 'auth', is: `${service} is asked; what it answers but 2xx goes to the client` }
}
