import type { RequestHead } from './exchange.ts'

/**
 * A request that its codec refused, so that nobody else gets to see it. What it seems to say is for the log alone, and
 * nothing may be decided by it: it is undefined where nothing of the kind could be made out, and cut where it is long.
 */
export type RefusedRequest = {
  readonly method: string | undefined
  readonly authority: string | undefined
  readonly target: string | undefined
  readonly version: RequestHead['version']
  /** What it was answered with; 0 if its stream was reset instead. */
  readonly status: number
  /** Of the answer's content. */
  readonly bytes: number
  /** Since its first byte; exact to a second. */
  readonly durationMs: number
  /** The rule that it broke. */
  readonly why: string
}

/** What a request seems to say of itself. */
export type Glimpse = Pick<RefusedRequest, 'method' | 'authority' | 'target'>

const MAX_METHOD_CHARACTERS = 32
/** No name is longer (RFC 1035 §2.3.4). */
const MAX_AUTHORITY_CHARACTERS = 255
/** Enough to see what was wanted; who is refused for a long one sends as much as he likes. */
const MAX_TARGET_CHARACTERS = 1024

/** The same, cut to what a line of a log should hold. Empty text is none. */
export function cutGlimpse({ method, authority, target }: Glimpse): Glimpse {
  return {
    method: cut(method, MAX_METHOD_CHARACTERS),
    authority: cut(authority, MAX_AUTHORITY_CHARACTERS),
    target: cut(target, MAX_TARGET_CHARACTERS),
  }
}

function cut(text: string | undefined, characters: number): string | undefined {
  if (text === undefined || text === '') return undefined
  return text.length > characters ? `${text.slice(0, characters)}...` : text
}
