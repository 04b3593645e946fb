import { CastellanError, describeError, errorCode } from '../../errors.ts'
import type { ExchangeFailure } from '../exchange/exchange.ts'
import type { PeerSnapshot, UpstreamAddress } from '../snapshot.ts'
import { http2Fault } from './http2-fault.ts'
import { tlsFault } from './tls-fault.ts'
import { formatUpstream } from './upstream-name.ts'

export type UpstreamErrorCode =
  | 'upstream-unreachable'
  | 'upstream-timeout'
  | 'upstream-broken'
  /** None of its targets is there. */
  | 'upstream-none'
  /** As many requests as are allowed are under way, and as many more wait, or have waited for too long. */
  | 'upstream-full'
  | 'site-full'

/** Why an upstream gave no usable response. */
export class UpstreamError extends CastellanError {
  declare readonly code: UpstreamErrorCode

  /** What the client is told (RFC 9110 §15.6.3, §15.6.4, §15.6.5). */
  get status(): number {
    return STATUS[this.code] ?? 502
  }

  /** When it may try again, in seconds; undefined where nobody knows. */
  get retryAfter(): number | undefined {
    return this.status === 503 ? RETRY_AFTER_SECONDS : undefined
  }
}

const STATUS: Partial<Record<UpstreamErrorCode, number>> = {
  'upstream-timeout': 504,
  'upstream-none': 503,
  'upstream-full': 503,
  'site-full': 503,
}

/** A few seconds: by then there may be room, or another check has been made; and a person has not gone away. */
const RETRY_AFTER_SECONDS = 5

/** What it means that an upstream cannot be reached at all, by the system's code. */
const UNREACHABLE = new Map([
  ['ECONNREFUSED', 'nothing listens there'],
  ['ENOENT', 'there is no such socket'],
  ['EACCES', 'this user may not connect to it'],
  ['ENOTFOUND', 'its name cannot be resolved'],
  ['EAI_AGAIN', 'its name cannot be resolved at the moment'],
  ['EHOSTUNREACH', 'no route leads to it'],
  ['ENETUNREACH', 'no route leads to it'],
])

/** The connection broke while it was being opened, as those do that meet a server just as it restarts. */
export function wasCutOff(cause: unknown): boolean {
  const code = errorCode(cause)
  return code === undefined || code === 'ECONNRESET' || code === 'EPIPE'
}

/** Nobody listens there, as while an application is being restarted. Nothing was sent. */
export function wasRefused(cause: unknown): boolean {
  const code = errorCode(cause)
  return code === 'ECONNREFUSED' || code === 'ENOENT'
}

/** There is no target to send a request to. */
export function noTargetError(why: 'upstream-none' | 'upstream-full' | 'site-full', names: string): UpstreamError {
  const words = {
    'upstream-none': `Of ${names} none is there: each is down, as its checks say, or is being drained.`,
    'upstream-full': `${names} has as many requests as limits.concurrent allows, and as many more wait, or have in vain.`,
    'site-full': 'As many requests are under way as limits.concurrent allows, and as many more wait, or have in vain.',
  }
  return new UpstreamError(why, words[why], why === 'site-full' ? {} : { upstream: names })
}

/** Names the reason why there was no connection, keeping the cause. */
export function unreachableError(upstream: PeerSnapshot, cause: unknown): UpstreamError {
  const name = formatUpstream(upstream.address)
  const code = errorCode(cause) ?? ''
  if (code === 'ETIMEDOUT') return timeoutError(name, describeError(cause))
  const facts = { upstream: name, cause: code }
  const meaning = UNREACHABLE.get(code)
  return meaning === undefined
    ? new UpstreamError('upstream-broken', `${name} cannot be used: ${fault(upstream, cause)}.`, facts, { cause })
    : new UpstreamError('upstream-unreachable', `${name} cannot be reached: ${meaning} (${code}).`, facts, { cause })
}

/** Names the reason why a response did not come, or not whole. `hasAnswered`: others of the same upstream did. */
export function failureError(
  { address }: PeerSnapshot,
  { code, message, cause }: ExchangeFailure,
  hasAnswered: boolean,
): UpstreamError {
  const name = formatUpstream(address)
  if (code === 'upstream-timeout') return timeoutError(name, message)
  const facts = { upstream: name, cause: errorCode(cause) ?? code }
  const words = `${name} gave no usable response: ${message.replace(/\.$/, '')}${hint(address, code, hasAnswered)}.`
  return new UpstreamError('upstream-broken', words, facts, { cause })
}

function fault(upstream: PeerSnapshot, cause: unknown): string {
  return http2Fault(upstream.address, cause) ?? tlsFault(upstream, cause) ?? describeError(cause)
}

const SEEN_OF_TLS = new Set(['response-tls', 'upstream-closed'])

/** Whoever forgets the s of https has one of these: TLS servers answer plain HTTP with an alert, or not at all. */
function hint(address: UpstreamAddress, code: string, hasAnswered: boolean): string {
  if (address.scheme !== 'http' || hasAnswered || !SEEN_OF_TLS.has(code)) return ''
  return ` (does it speak HTTPS? try ${formatUpstream({ ...address, scheme: 'https' })})`
}

function timeoutError(upstream: string, what: string): UpstreamError {
  return new UpstreamError('upstream-timeout', `${upstream} was too slow: ${what}.`, { upstream })
}
