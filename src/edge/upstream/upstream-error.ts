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

/** Names an error of the connection to an upstream, keeping the cause. */
export function upstreamError(upstream: string, cause: unknown): UpstreamError {
  if (cause instanceof UpstreamError) return cause
  const code = errorCode(cause) ?? ''
  if (code === 'ETIMEDOUT') return timeoutError(upstream, 'the connection was not established in time')
  const meaning = UNREACHABLE.get(code)
  return meaning === undefined
    ? new UpstreamError(
        'upstream-broken',
        `${upstream} gave no usable response: ${describeError(cause)}.`,
        { upstream, cause: code },
        { cause },
      )
    : new UpstreamError(
        'upstream-unreachable',
        `${upstream} cannot be reached: ${meaning} (${code}).`,
        { upstream, cause: code },
        { cause },
      )
}

export function timeoutError(upstream: string, what: string): UpstreamError {
  return new UpstreamError('upstream-timeout', `${upstream} was too slow: ${what}.`, { upstream })
}
