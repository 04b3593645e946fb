import { type ResponseHead, UNKNOWN_LENGTH } from '../exchange/exchange.ts'
import { checkField, FieldRole, isPseudoField, parseContentLength } from './field-rules.ts'
import { streamError } from './http2-error.ts'

/** A response as its field section tells it. */
export type ReadResponse = {
  readonly head: ResponseHead
  /** The value of Content-Length, or UNKNOWN_LENGTH; whether there is content is another question. */
  readonly contentLength: number
}

/** RFC 9110 §15: three digits, the first of them known. */
const STATUS = /^[1-5][0-9][0-9]$/
/** RFC 9113 §8.6. */
const SWITCHING_PROTOCOLS = 101

/** Reads a response, interim or final (RFC 9113 §8.2, §8.3.2). A malformed one is an error of its stream (§8.1.1). */
export function readResponse(fields: readonly string[]): ReadResponse {
  const status = readStatus(fields)
  const regular: string[] = []
  let contentLength = UNKNOWN_LENGTH
  for (let at = 2; at < fields.length; at += 2) {
    const name = fields[at]!
    const value = fields[at + 1]!
    if (isPseudoField(name))
      throw streamError(regular.length > 0 ? 'pseudo-field-late' : 'pseudo-field-invalid', { name })
    const role = checkField(name, value)
    // RFC 9113 §8.2.2: TE is for requests.
    if (role === FieldRole.te) throw streamError('field-connection-specific', { name })
    if (role === FieldRole.contentLength) {
      if (contentLength !== UNKNOWN_LENGTH) throw streamError('content-length-invalid', { value })
      contentLength = parseContentLength(value)
    }
    regular.push(name, value)
  }
  return { head: { status, fields: regular }, contentLength }
}

function readStatus(fields: readonly string[]): number {
  const [name, value] = fields
  if (name === undefined || value === undefined || !isPseudoField(name))
    throw streamError('pseudo-field-missing', { name: ':status' })
  if (name !== ':status') throw streamError('pseudo-field-invalid', { name })
  const status = Number(value)
  if (!STATUS.test(value) || status === SWITCHING_PROTOCOLS) throw streamError('status-invalid', { status: value })
  return status
}
