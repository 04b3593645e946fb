import { CastellanError, describeError, errorCode } from '../../errors.ts'
import type { ExchangeFailure } from '../exchange/exchange.ts'

export type UpstreamErrorCode = 'upstream-unreachable' | 'upstream-timeout' | 'upstream-broken'

/** Why an upstream gave no usable response. */
export class UpstreamError extends CastellanError {
  declare readonly code: UpstreamErrorCode

  /** What the client is told (RFC 9110 §15.6.3, §15.6.5). */
  get status(): number {
    return this.code === 'upstream-timeout' ? 504 : 502
  }
}

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

/** Names the reason why there was no connection, keeping the cause. */
export function unreachableError(upstream: string, cause: unknown): UpstreamError {
  const code = errorCode(cause) ?? ''
  if (code === 'ETIMEDOUT') return timeoutError(upstream, describeError(cause))
  const meaning = UNREACHABLE.get(code)
  const facts = { upstream, cause: code }
  return meaning === undefined
    ? new UpstreamError('upstream-broken', `${upstream} cannot be used: ${describeError(cause)}.`, facts, { cause })
    : new UpstreamError('upstream-unreachable', `${upstream} cannot be reached: ${meaning} (${code}).`, facts, {
        cause,
      })
}

/** Names the reason why a response did not come, or not whole. */
export function failureError(upstream: string, { code, message, cause }: ExchangeFailure): UpstreamError {
  if (code === 'upstream-timeout') return timeoutError(upstream, message)
  const facts = { upstream, cause: errorCode(cause) ?? code }
  return new UpstreamError('upstream-broken', `${upstream} gave no usable response: ${message}.`, facts, { cause })
}

function timeoutError(upstream: string, what: string): UpstreamError {
  return new UpstreamError('upstream-timeout', `${upstream} was too slow: ${what}.`, { upstream })
}
