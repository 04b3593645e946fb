import { AcmeError } from './acme-error.ts'
import { isObject } from './json-object.ts'
import { quote } from './quote.ts'

/** RFC 8555 §6.7: what stands before the names of its error types. */
const ACME_ERROR = 'urn:ietf:params:acme:error:'

/** Types that are about what was ordered or who ordered it, whatever the key (RFC 8555 §6.7). */
const ABOUT_NAMES = new Set([
  'caa',
  'connection',
  'dns',
  'incorrectResponse',
  'rateLimited',
  'rejectedIdentifier',
  'tls',
  'unauthorized',
  'unsupportedIdentifier',
  'userActionRequired',
])

/** Printable ASCII as in server-url.ts, without what ends a sentence or a quotation. */
const UNPAUSE_URL = /https:\/\/[!#-;=?-~]{0,200}unpause[!#-;=?-~]{0,1500}[/=\w-]/i

/** Names of a hundred and a token do not fill this. */
const MAX_SEARCHED = 32 * 1024

/** Let's Encrypt allows 100 names a certificate; each can have a subproblem. */
const MAX_SUBPROBLEMS = 100

/** A message names no more of them; the rest is in the problem itself. */
const MAX_SUBPROBLEMS_SHOWN = 10

/** A problem document (RFC 9457, RFC 8555 §6.7). Every text is printable, on one line, and at most 1000 characters. */
export type Problem = {
  /** The type without RFC 8555's prefix (`rateLimited`), or any other URI as it stands. */
  readonly type: string
  /** The CA's own words. */
  readonly detail: string
  readonly status: number | undefined
  /** Where a person can read on, or must go to act (§7.3.3). */
  readonly instance: string | undefined
  /** The name that this is about, in a subproblem (§6.7.1). */
  readonly identifier: string | undefined
  readonly subproblems: readonly Problem[]
  /** Where a person must go before the CA takes another order for the names: it has paused them after long failure. */
  readonly unpauseUrl: string | undefined
}

/**
 * Reads a problem document. Never throws: a server that fails may well fail in its error too, and what can be read of it
 * must reach the operator.
 */
export function parseProblem(document: unknown): Problem {
  const problem = isObject(document) ? document : {}
  const subproblems = Array.isArray(problem.subproblems) ? problem.subproblems : []
  const identifier = isObject(problem.identifier) ? problem.identifier : {}
  return {
    type: shortType(text(problem.type) ?? 'about:blank'),
    detail: text(problem.detail) ?? text(problem.title) ?? 'no detail given',
    status: typeof problem.status === 'number' ? problem.status : undefined,
    instance: text(problem.instance),
    identifier: text(identifier.value),
    // Subproblems have none of their own (§6.7.1); a server that nests a thousand is not followed.
    subproblems: subproblems.slice(0, MAX_SUBPROBLEMS).map((sub) => parseProblem({ ...sub, subproblems: [] })),
    unpauseUrl: unpauseUrlIn(problem.instance) ?? unpauseUrlIn(problem.detail),
  }
}

/** The problem in words: the CA's own, its type, and where to read on. */
export function describeProblem(problem: Problem): string {
  const { type, detail, instance, subproblems } = problem
  const shown = subproblems.slice(0, MAX_SUBPROBLEMS_SHOWN).map((sub) => `${sub.identifier ?? 'also'}: ${sub.detail}`)
  const more = subproblems.length - shown.length
  if (more > 0) shown.push(`and ${more} more`)
  const names = shown.length === 0 ? '' : ` [${shown.join('; ')}]`
  return `“${detail}” (${type})${names}${instance === undefined ? '' : `; see ${instance}`}`
}

export type ProblemContext = {
  /** What was asked for: `newOrder`. */
  readonly what: string
  /** Every order makes this request. */
  readonly isGeneral?: boolean
  /** Host and port of the server that refused. */
  readonly server: string
  readonly httpStatus: number
  readonly retryAfterMs?: number | undefined
  /** From Link rel="terms-of-service", which comes with userActionRequired (§7.3.3). */
  readonly terms?: string | undefined
}

/** The server refused a request and said why in a problem document. */
export class AcmeProblemError extends AcmeError {
  declare readonly code: 'acme-problem'
  readonly problem: Problem
  readonly httpStatus: number
  /** See Problem; with a Retry-After it is a rate limit like others, which time lifts. */
  readonly unpauseUrl: string | undefined

  constructor(problem: Problem, context: ProblemContext) {
    const { what, isGeneral = false, server, httpStatus, retryAfterMs, terms } = context
    const isPause = httpStatus === 429 && problem.type === 'rateLimited' && retryAfterMs === undefined
    const unpauseUrl = isPause ? problem.unpauseUrl : undefined
    // The detail may have been cut before it.
    const isTold = unpauseUrl === undefined || problem.detail.includes(unpauseUrl) || problem.instance === unpauseUrl
    const unpause = isTold ? '' : ` It names ${unpauseUrl}`
    const newTerms = terms === undefined ? '' : ` Its terms of service: ${quote(terms)}`
    super(
      'acme-problem',
      `The CA at ${server} refused ${what}: ${describeProblem(problem)}.${newTerms}${unpause}`,
      { type: problem.type, detail: problem.detail, status: httpStatus, instance: problem.instance, server },
      { retryAfterMs, concernsCa: isGeneral && httpStatus >= 500 },
    )
    this.problem = problem
    this.httpStatus = httpStatus
    this.unpauseUrl = unpauseUrl
  }

  /** Overload, which passes. A rate limit lasts too long to wait for inside an order. */
  override get transient(): boolean {
    return this.httpStatus === 500 || this.httpStatus === 502 || this.httpStatus === 503
  }

  override get refusesKey(): boolean {
    return this.problem.type === 'badPublicKey' || this.problem.type === 'badSignatureAlgorithm'
  }

  override get concernsNames(): boolean {
    return ABOUT_NAMES.has(this.problem.type)
  }
}

/** Whether this is the refusal of that type (`badNonce`). */
export function isProblem(error: unknown, type: string): boolean {
  return error instanceof AcmeProblemError && error.problem.type === type
}

/** In the words, as Boulder has it: no RFC has a field for that. Looked for in all of them, for they may be cut later. */
function unpauseUrlIn(words: unknown): string | undefined {
  if (typeof words !== 'string') return undefined
  const [url] = UNPAUSE_URL.exec(words.slice(0, MAX_SEARCHED)) ?? []
  return url !== undefined && URL.canParse(url) ? url : undefined
}

function shortType(type: string): string {
  return type.startsWith(ACME_ERROR) ? type.slice(ACME_ERROR.length) : type
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value.trim() !== '' ? quote(value) : undefined
}
