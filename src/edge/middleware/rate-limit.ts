import { createHash } from 'node:crypto'
import { isIPv6 } from 'node:net'
import type { RateKey, RateLimit } from '../../guards.ts'
import { cookieValue } from '../cookies.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { fieldValue, ownCopy } from '../fields.ts'
import type { Middleware, Refuse, RequestFacts } from './middleware.ts'
import type { PolicyPlace } from './policy.ts'
import type { RateCounts } from './rate-counts.ts'

/** RFC 6585 §4. */
const TOO_MANY_REQUESTS = 429

/** Longer values are counted by their hash: memory must not depend on what clients send. */
const MAX_PLAIN_KEY = 64

/** Answers 429 to a client that has made too many requests, and says in Retry-After when it may make one (RFC 9110 §10.2.3). */
export function rateLimit(
  limit: RateLimit,
  { rates, refuse }: { readonly rates: RateCounts; readonly refuse: Refuse },
  { site, route }: PolicyPlace,
): Middleware {
  const place = limit.scope === 'route' ? `${site} ${route}` : site
  const keyOf = keyReader(limit.by)
  return (next) => (exchange, facts) => {
    const waitMs = rates.take(`${place} ${keyOf(exchange, facts)}`, limit)
    if (waitMs === 0) return next(exchange, facts)
    const seconds = Math.max(1, Math.ceil(waitMs / 1000))
    refuse(exchange, facts, { status: TOO_MANY_REQUESTS, why: 'rate-limited', fields: ['Retry-After', `${seconds}`] })
  }
}

type KeyReader = (exchange: Exchange, facts: RequestFacts) => string

/** Who lacks the field or cookie is counted by address: to leave it out must be no way round the limit. */
function keyReader(by: RateKey): KeyReader {
  const ofAddress: KeyReader = (_, { origin }) => addressKey(origin.clientAddress)
  if (by.type === 'clientAddress') return ofAddress
  const { name } = by
  const read = by.type === 'header' ? fieldValue : cookieValue
  return (exchange, facts) => {
    const value = read(exchange.request.fields, name)
    return value === undefined || value === '' ? ofAddress(exchange, facts) : `=${plainKey(value)}`
  }
}

function plainKey(value: string): string {
  return value.length <= MAX_PLAIN_KEY ? ownCopy(value) : createHash('sha256').update(value).digest('base64')
}

/** Who has one IPv6 address has 2^64 of them (RFC 6177 §2), so that those are one client. */
export function addressKey(address: string): string {
  if (!isIPv6(address)) return address
  const [head = '', tail] = address.split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = tail === undefined ? [] : Array<string>(Math.max(0, 8 - left.length - right.length)).fill('0')
  const groups = [...left, ...zeros, ...right].slice(0, 4)
  return `${groups.map((group) => Number.parseInt(group, 16).toString(16)).join(':')}::/64`
}
