import { isObject } from './json-object.ts'
import { type Problem, parseProblem } from './problem.ts'
import { quote } from './quote.ts'
import { isServerUrl } from './server-url.ts'

const challengeStatuses = ['pending', 'processing', 'valid', 'invalid'] as const

/** One way to prove control of a name, of whatever type the server offers (RFC 8555 §7.1.5, §8). */
export type Challenge = {
  readonly type: string
  readonly url: string
  readonly status: (typeof challengeStatuses)[number]
  /** Undefined for the types that have none, and for a token that is not one (§8.1). */
  readonly token: string | undefined
  readonly error: Problem | undefined
}

/** RFC 8555 §8.1: base64url of 128 bits at least, without padding. It becomes part of a path and so must not be a `../`. */
const TOKEN = /^[A-Za-z0-9_-]{22,256}$/

/**
 * Reads an element of an authorization's challenges. Undefined for what is no challenge that we know how to read: a
 * new type must not get in the way of those that we can answer.
 */
export function parseChallenge(value: unknown, directoryUrl: string): Challenge | undefined {
  if (!isObject(value)) return undefined
  const { type, status, url, token, error } = value
  const known = challengeStatuses.find((candidate) => candidate === status)
  if (typeof type !== 'string' || typeof url !== 'string' || known === undefined) return undefined
  if (!isServerUrl(url, directoryUrl)) return undefined
  return {
    type: quote(type, 60),
    url,
    status: known,
    token: typeof token === 'string' && TOKEN.test(token) ? token : undefined,
    error: isObject(error) ? parseProblem(error) : undefined,
  }
}
