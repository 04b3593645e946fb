import { http } from '../system/http.ts'

/** What a visitor can do about it. Nothing about what stands behind the proxy. */
const ADVICE: Record<number, string> = {
  400: 'The request could not be understood.',
  401: 'This wants a name and a password, or other proof of who asks.',
  403: 'This is not open to whoever asks from there.',
  404: 'There is nothing of this name here.',
  405: 'This method is not served here.',
  406: 'What is here is in no form that the request accepts.',
  408: 'The request took too long to arrive.',
  410: 'What was here is gone for good.',
  411: 'The request does not say how long it is.',
  413: 'What was to be sent is larger than is taken here.',
  414: 'The address is too long.',
  415: 'What was sent is in a form that is not taken here.',
  417: 'What the request expects is not done here.',
  421: 'This connection was opened for another site. Open a new one.',
  426: 'This is served over another protocol only.',
  429: 'That were too many requests. Please wait a little before the next.',
  431: 'The request has more or longer fields than are taken here. Deleting the cookies of this site may help.',
  451: 'This may not be shown for legal reasons.',
  500: 'Something went wrong here. Please try again in a moment.',
  501: 'The request is in a form that is not known here.',
  502: 'The application behind this address gave no usable answer. Please try again in a moment.',
  503: 'This is not available for the moment. Please try again in a while.',
  504: 'The application behind this address took too long to answer. Please try again in a moment.',
  505: 'This version of HTTP is not spoken here.',
}

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

/** The same for programs. */
export function errorObject(status: number, requestId: string): string {
  return `${JSON.stringify({ status, error: http.STATUS_CODES[status] ?? '', requestId })}\n`
}
