import type { Answer } from '../exchange/answer.ts'
import type { Fields, RequestHead } from '../exchange/exchange.ts'
import { fieldValue } from '../fields.ts'

/** The methods that are known to be served; an application may have more. */
export const ALLOWED_METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS'

/** To how many more servers the request may go (RFC 9110 §7.6.2); undefined where it does not say, or its method ignores it. */
export function forwardsLeft({ method, fields }: Pick<RequestHead, 'method' | 'fields'>): number | undefined {
  if (method !== 'OPTIONS' && method !== 'TRACE') return undefined
  const value = fieldValue(fields, 'max-forwards')
  return value !== undefined && /^[0-9]{1,15}$/.test(value) ? Number(value) : undefined
}

/** The fields for the next server, with one less left. Nothing changes where there is no count, or none left. */
export function withOneForwardLess(request: Pick<RequestHead, 'method' | 'fields'>): Fields {
  const left = forwardsLeft(request)
  if (!left) return request.fields
  return request.fields.map((text, at, fields) =>
    at % 2 === 1 && fields[at - 1]!.toLowerCase() === 'max-forwards' ? String(left - 1) : text,
  )
}

/** What the last server on the way answers; TRACE would give away what a browser keeps from scripts. */
export function lastAnswer(method: string, date: string): Answer {
  return { status: method === 'OPTIONS' ? 204 : 405, fields: ['Date', date, 'Allow', ALLOWED_METHODS], text: '' }
}
