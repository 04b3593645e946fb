import { CastellanError, describeError, errorCode } from '../../errors.ts'

export type UpstreamErrorCode =
  | 'upstream-unreachable'
  | 'upstream-timeout'
  | 'upstream-broken'
  | 'request-not-forwardable'

/** Why an upstream gave no usable response. */
export class UpstreamError extends CastellanError {
  declare readonly code: UpstreamErrorCode

  /** What the client is told (RFC 9110 §15.6.3, §15.6.5). */
  get status(): number {
    return { 'upstream-timeout': 504, 'request-not-forwardable': 400 }[this.code as string] ?? 502
  }
}

/** The operating system's and OpenSSL's words for an upstream that cannot be reached at all. */
const UNREACHABLE = new Set([
  'ECONNREFUSED',
  'ENOENT',
  'EACCES',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
])

/** Names an error of the connection to an upstream, keeping the cause. */
export function upstreamError(upstream: string, cause: unknown): UpstreamError {
  if (cause instanceof UpstreamError) return cause
  const code = errorCode(cause) ?? ''
  if (code === 'ETIMEDOUT') return timeoutError(upstream, 'the connection was not established in time')
  const isUnreachable = UNREACHABLE.has(code)
  return new UpstreamError(
    isUnreachable ? 'upstream-unreachable' : 'upstream-broken',
    `${upstream} ${isUnreachable ? 'cannot be reached' : 'gave no usable response'}: ${describeError(cause)}`,
    { upstream, cause: code },
    { cause },
  )
}

export function timeoutError(upstream: string, what: string): UpstreamError {
  return new UpstreamError('upstream-timeout', `${upstream} was too slow: ${what}`, { upstream })
}
