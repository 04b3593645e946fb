import { http } from '../../system/http.ts'
import { errorPage } from '../error-page.ts'
import { ALLOWED_METHODS } from '../middleware/max-forwards.ts'

/**
 * The whole response to a request that was refused, after which the connection closes, and the length of its content.
 *
 * @param date of its Date field.
 */
export function formatRefusal(status: number, date: string): { readonly text: string; readonly contentBytes: number } {
  const page = errorPage(status)
  // RFC 9110 §15.5.6 has a 405 say what would be served.
  const allow = status === 405 ? `Allow: ${ALLOWED_METHODS}\r\n` : ''
  const text =
    `HTTP/1.1 ${status} ${http.STATUS_CODES[status]}\r\nDate: ${date}\r\nContent-Type: text/html; charset=utf-8\r\n` +
    `Content-Length: ${page.length}\r\nCache-Control: no-store\r\n${allow}Connection: close\r\n\r\n${page}`
  return { text, contentBytes: page.length }
}
