import { STATUS_CODES } from 'node:http'
import type { Exchange } from './exchange.ts'

/** What a visitor can do about it. Nothing about what stands behind the proxy. */
const ADVICE: Record<number, string> = {
  400: 'The request could not be understood.',
  404: 'There is no site of this name here.',
  405: 'This method is not served here.',
  421: 'This connection was opened for another site. Open a new one.',
  502: 'The application behind this address gave no usable answer. Please try again in a moment.',
  504: 'The application behind this address took too long to answer. Please try again in a moment.',
}

/** Answers with a short page for a status of our own making. */
export function respondWithError(exchange: Exchange, status: number): void {
  const title = `${status} ${STATUS_CODES[status]}`
  const page = `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:36em;margin:15vh auto;padding:0 1em;color-scheme:light dark}</style>
<h1>${title}</h1><p>${ADVICE[status] ?? ''}</p></html>
`
  const fields = ['Content-Type', 'text/html; charset=utf-8', 'Content-Length', String(Buffer.byteLength(page))]
  exchange.respond({ status, fields: [...fields, 'Cache-Control', 'no-store'] }, page)
}
