import { AcmeError } from './acme-error.ts'
import { linksOf } from './link.ts'
import { AcmeProblemError, parseProblem } from './problem.ts'
import { quote } from './quote.ts'
import { parseRetryAfter } from './retry-after.ts'
import type { TransportResponse } from './transport.ts'

/** As much of an unexpected answer as an operator needs to recognize whose page it is. */
const MAX_QUOTED_CHARACTERS = 200

/** What was asked for, and whether every order asks for that (see RequestOptions). */
export type Asked = { readonly what: string; readonly isGeneral?: boolean }

/** An answer of an ACME server that grants what was asked for. */
export class AcmeResponse {
  readonly status: number
  readonly url: string
  /** Milliseconds, clamped; undefined if the server did not say. */
  readonly retryAfterMs: number | undefined
  readonly #response: TransportResponse
  readonly #asked: Asked

  private constructor(response: TransportResponse, asked: Asked, now: number) {
    this.#response = response
    this.#asked = asked
    this.status = response.status
    this.url = response.url
    this.retryAfterMs = parseRetryAfter(response.headers['retry-after'], now)
  }

  /**
   * Takes a success for what it is. Throws AcmeProblemError for a problem document, and for anything else AcmeError
   * `acme-unavailable` (5xx) or `acme-response-invalid`.
   */
  static accept(response: TransportResponse, asked: Asked, now: number): AcmeResponse {
    const answer = new AcmeResponse(response, asked, now)
    if (answer.status >= 200 && answer.status < 300) return answer
    throw answer.#failure()
  }

  /** The Location field: as it stands if it is absolute, else relative to what was asked for (RFC 9110 §10.2.2). */
  get location(): string | undefined {
    const { location } = this.#response.headers
    if (location === undefined || location === '' || URL.canParse(location)) return location
    return URL.parse(location, this.url)?.href
  }

  /** Targets of Link fields, absolute. */
  links(relation: string): string[] {
    return linksOf(this.#linkField, relation, this.url)
  }

  /** The document, parsed. Throws AcmeError `acme-response-invalid` unless it is JSON and says so. */
  json(): unknown {
    if (this.#contentType !== 'application/json') throw this.#unexpected('acme-response-invalid', 'JSON')
    const document = parseJson(this.#response.body)
    if (document === undefined) throw this.#unexpected('acme-response-invalid', 'well-formed JSON')
    return document
  }

  /** The body, if it has this media type. Throws AcmeError `acme-response-invalid`. */
  text(mediaType: string): string {
    if (this.#contentType !== mediaType) throw this.#unexpected('acme-response-invalid', mediaType)
    return this.#response.body
  }

  #failure(): AcmeError {
    const { status: httpStatus, body } = this.#response
    // Some servers send their problem documents as plain JSON.
    const document = /^application\/(problem\+)?json$/.test(this.#contentType) ? parseJson(body) : undefined
    if (document === undefined)
      return this.#unexpected(httpStatus >= 500 ? 'acme-unavailable' : 'acme-response-invalid', 'success')
    const [terms] = this.links('terms-of-service')
    const { host: server } = new URL(this.url)
    const context = { ...this.#asked, server, httpStatus, retryAfterMs: this.retryAfterMs, terms }
    return new AcmeProblemError(parseProblem(document), context)
  }

  #unexpected(code: 'acme-unavailable' | 'acme-response-invalid', expected: string): AcmeError {
    const { host: server } = new URL(this.url)
    const { status, body } = this.#response
    const type = quote(this.#contentType || 'no content type', 60)
    const start = body === '' ? 'an empty body' : `“${quote(body, MAX_QUOTED_CHARACTERS)}”`
    return new AcmeError(
      code,
      `The ACME server ${server} answered ${this.#asked.what} with ${status} (${type}) instead of ${expected}: ${start}`,
      { server, status },
      { retryAfterMs: this.retryAfterMs },
    )
  }

  get #contentType(): string {
    const [mediaType = ''] = (this.#response.headers['content-type'] ?? '').split(';')
    return mediaType.trim().toLowerCase()
  }

  get #linkField(): string | undefined {
    const { link } = this.#response.headers
    return Array.isArray(link) ? link.join(', ') : link
  }
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}
