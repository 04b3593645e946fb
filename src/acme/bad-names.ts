import { isIP } from 'node:net'
import { AuthorizationError } from './authorization.ts'
import { AcmeProblemError, describeProblem, type Problem } from './problem.ts'

/** A name that kept a whole order from succeeding, and why, in the CA's words. */
export type BadName = { readonly name: string; readonly reason: string }

/** Types that are about a name itself, and would be about the same one in any order (RFC 8555 §6.7). */
const ABOUT_A_NAME = new Set([
  'caa',
  'connection',
  'dns',
  'incorrectResponse',
  'malformed',
  'rejectedIdentifier',
  'tls',
  'unauthorized',
  'unsupportedIdentifier',
])

/** Types that say so without a subproblem: CAs leave it out where there would be one alone. */
const ABOUT_A_NAME_ALONE = new Set(['caa', 'rejectedIdentifier', 'unsupportedIdentifier'])

/**
 * Those of an order's names that an error is about: of validations that failed, of subproblems (RFC 8555 §6.7.1), or those
 * that a CA names in its words. Empty where the error is about the whole of it.
 */
export function badNamesOf(error: unknown, names: readonly string[]): BadName[] {
  if (error instanceof AuthorizationError)
    return error.failures.map(({ name, status, problem }) => ({
      name,
      reason: problem === undefined ? `its authorization is ${status}` : describeProblem(problem),
    }))
  return error instanceof AcmeProblemError ? badNamesIn(error.problem, names) : []
}

/** The same, of a problem document. */
export function badNamesIn(problem: Problem, names: readonly string[]): BadName[] {
  const { subproblems } = problem
  if (subproblems.length === 0) {
    if (!ABOUT_A_NAME_ALONE.has(problem.type)) return []
    return names
      .filter((name) => mentions(problem.detail, name))
      .map((name) => ({ name, reason: describeProblem(problem) }))
  }
  return subproblems
    .filter(({ type, identifier }) => ABOUT_A_NAME.has(type) && identifier !== undefined)
    .map((sub) => ({ name: sub.identifier!.toLowerCase(), reason: describeProblem(sub) }))
    .filter(({ name }) => names.includes(name))
}

/** As a word of its own: `a.test` is not mentioned by `www.a.test`. */
function mentions(text: string, name: string): boolean {
  const around = isIP(name) === 6 ? '[0-9a-f:]' : '[a-z0-9_*-]'
  const word = name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  return new RegExp(`(?<!${around}|${around}\\.)${word}(?!\\.?${around})`, 'i').test(text)
}
