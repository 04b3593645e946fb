import { http } from '../system/http.ts'
import type { Answer } from './exchange/answer.ts'

/** What a visitor can do about it. Nothing about what stands behind the proxy. */
const ADVICE: Record<number, string> = {
  400: 'The request could not be understood.',
  401: 'A name and a password are needed here.',
  403: 'This is not served to you.',
  404: 'There is no site of this name here.',
  405: 'This method is not served here.',
  408: 'The request took too long to arrive.',
  413: 'What was to be sent is larger than is taken here.',
  414: 'The address is too long.',
  417: 'What the request expects is not done here.',
  421: 'This connection was opened for another site. Open a new one.',
  429: 'There were too many requests. Please try again in a moment.',
  431: 'The request has more or longer fields than are taken here. Deleting the cookies of this site may help.',
  501: 'The request is in a form that is not known here.',
  502: 'The application behind this address gave no usable answer. Please try again in a moment.',
  503: 'There is too much to do at the moment, or the application behind this address is being worked on. Please try again in a moment.',
  504: 'The application behind this address took too long to answer. Please try again in a moment.',
  505: 'This version of HTTP is not spoken here.',
}

const FIELDS = ['Content-Type', 'text/html; charset=utf-8', 'Cache-Control', 'no-store']

/** A short page for a status of our own making: ASCII. `requestId` is what to ask the operator about. */
export function errorPage(status: number, requestId?: string): string {
  const asked = requestId === undefined ? '' : `<p><small>Request ${requestId}</small></p>`
  const title = `${status} ${http.STATUS_CODES[status]}`
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:36em;margin:15vh auto;padding:0 1em;color-scheme:light dark}</style>
<h1>${title}</h1><p>${ADVICE[status] ?? ''}</p>${asked}</html>
`
}

/** The response with that page. `date` is the value of its Date field; `retryAfter` are seconds (RFC 9110 §10.2.3). */
export function errorAnswer(status: number, date: string, requestId: string, retryAfter?: number): Answer {
  const again = retryAfter === undefined ? [] : ['Retry-After', String(retryAfter)]
  return { status, fields: ['Date', date, ...again, ...FIELDS], text: errorPage(status, requestId) }
}
