/** What the CA says to a request. */
export type CaAnswer = {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  /** An object is sent as JSON, a string as it is. */
  readonly body?: unknown
}

export type ProblemFields = {
  readonly status?: number
  /** Seconds. */
  readonly retryAfter?: number | undefined
  readonly headers?: Readonly<Record<string, string>>
  readonly instance?: string
  readonly subproblems?: readonly object[]
}

/** Thrown by whatever part of the CA refuses a request. */
export class Refusal extends Error {
  readonly answer: CaAnswer

  constructor(type: string, detail: string, fields: ProblemFields = {}) {
    super(detail)
    this.answer = problem(type, detail, fields)
  }
}

/** A problem document (RFC 8555 §6.7). */
export function problem(
  type: string,
  detail: string,
  { status = 400, retryAfter, headers = {}, ...fields }: ProblemFields = {},
): CaAnswer {
  const wait: Record<string, string> = retryAfter === undefined ? {} : { 'Retry-After': String(retryAfter) }
  return { status, headers: { ...wait, ...headers }, body: { type: urn(type), detail, status, ...fields } }
}

/** What is wrong with one name (RFC 8555 §6.7.1). */
export function subproblem(type: string, detail: string, name: string): object {
  return { type: urn(type), detail, identifier: { type: 'dns', value: name } }
}

export function urn(type: string): string {
  return `urn:ietf:params:acme:error:${type}`
}
