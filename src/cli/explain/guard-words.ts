import { AddressSet } from '../../edge/address-set.ts'
import type { Auth, ClientTls, Cors, Guards, RateKey } from '../../guards.ts'
import type { AskedRequest } from './asked-request.ts'
import type { PolicyStep } from './policy-words.ts'

/** What is asked of a client before it is served, from the client inwards. Where `--from` is not given, not of whom. */
export function* explainGuards(guards: Guards, { from }: AskedRequest): Generator<PolicyStep> {
  const { addresses, rateLimit, cors, auth } = guards
  if (addresses !== undefined) {
    const { allow, deny } = addresses
    const isDenied =
      from !== undefined && (new AddressSet(deny).has(from) || (allow && new AddressSet(allow).has(from)) === false)
    const is = [...(allow ? [`only ${allow.join(', ')}`] : []), ...(deny.length > 0 ? [`not ${deny.join(', ')}`] : [])]
    const refusal = isDenied ? { status: 403, why: 'address-denied' } : undefined
    yield { step: 'addresses', is: isDenied ? `${from} is not served: ${is.join('; ')}` : is.join('; '), refusal }
  }
  if (rateLimit !== undefined) {
    const { requests, periodMs, burst, by, scope } = rateLimit
    const is = `${requests} requests in ${periodMs / 1000} s by ${keyName(by)}, ${burst} at once, counted for this ${scope}`
    yield { step: 'rateLimit', is }
  }
  if (cors !== undefined) yield { step: 'cors', is: pages(cors) }
  if (auth !== undefined) yield { step: 'auth', is: whoIsAsked(auth) }
}

function keyName(by: RateKey): string {
  return by.type === 'clientAddress' ? 'address' : `the ${by.type} ${by.name}`
}

function pages({ origins }: Cors): string {
  return `pages of ${origins === '*' ? 'every origin' : origins.join(', ')} may use it`
}

function whoIsAsked(auth: Auth): string {
  if (auth.type === 'basic') return `a name and a password, of ${auth.users.length}`
  const { scheme, host, port } = auth.service.address
  return `${scheme}://${host}:${port}${auth.target} is asked`
}

/** What a site asks of clients in TLS. */
export function tlsWords({ minVersion, clientAuth }: ClientTls): string {
  const certificate = { require: 'a certificate is required', request: 'a certificate is asked for' }
  return [`TLS ${minVersion} or newer`, ...(clientAuth ? [certificate[clientAuth.mode]] : [])].join('; ')
}
