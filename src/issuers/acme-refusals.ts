import { AcmeError } from '../acme/acme-error.ts'
import { AcmeProblemError, isProblem } from '../acme/problem.ts'

// What CAs refuse in words alone, or in types that stand for other things as well.

/** Whether a CA refused an order for its profile. CAs call it `invalidProfile`, or one of two types that they also use for anything else. */
export function isAboutProfile(error: unknown): error is AcmeProblemError {
  if (isProblem(error, 'invalidProfile')) return true
  return (isProblem(error, 'malformed') || isProblem(error, 'unauthorized')) && /\bprofile\b/i.test(detailOf(error))
}

/** There is no type for it (RFC 8555 §6.7): Boulder says `malformed`, others `rejectedIdentifier`. */
const TOO_MANY = /\b(?:more than|too many|at most|no more|maximum|exceed(?:s|ed)?|limit of)\b/i
const NAMES = /\b(?:names|identifiers|domains|sans?|subject alternative)\b/i

/** Whether a CA refused an order for having too many names. */
export function isAboutTheNumber(error: unknown, names: readonly string[]): error is AcmeProblemError {
  if (names.length === 1 || !(isProblem(error, 'malformed') || isProblem(error, 'rejectedIdentifier'))) return false
  const detail = detailOf(error)
  return TOO_MANY.test(detail) && NAMES.test(detail)
}

function detailOf(error: unknown): string {
  return error instanceof AcmeProblemError ? error.problem.detail : ''
}

/** Says so, and what to set. */
export function tooManyNames(issuer: string, count: number, cause: AcmeProblemError): AcmeError {
  const limit = /\b(\d{1,3})\b/.exec(cause.problem.detail)?.[1] ?? 'what it takes'
  const sentence = `${issuer} does not put ${count} names into one certificate; set “maxNames: ${limit}” for this issuer, and the site gets several.`
  return new AcmeError('too-many-names', sentence, { issuer, count }, { cause })
}
