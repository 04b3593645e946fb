import type { ClientRequest, IncomingMessage } from 'node:http'
import { CastellanError, describeError } from '../errors.ts'
import type { Clock } from '../system/clock.ts'
import { withDeadline } from '../system/deadline.ts'
import { http } from '../system/http.ts'
import { https } from '../system/https.ts'
import { responseTo } from '../system/response-to.ts'

/**
 * Asks an OCSP responder: gives what it answers to a request, both DER, or throws. What it gives is as good as what anybody
 * on the way says; whoever calls verifies it.
 */
export type AskResponder = (url: string, request: Uint8Array, signal: AbortSignal) => Promise<Buffer>

export type ResponderErrorCode =
  | 'responder-unreachable'
  | 'responder-timeout'
  /** It points elsewhere, which is not followed. */
  | 'responder-redirect'
  /** It answers with another status than 200. */
  | 'responder-status'
  | 'responder-response-too-large'

/** An OCSP responder gave no answer (`facts.responder`). */
export class ResponderError extends CastellanError {
  declare readonly code: ResponderErrorCode
}

/** From name resolution to the last byte. Responders are meant to answer browsers that wait. */
const TIMEOUT_MS = 10_000

/** Responses have 0.3 to 3 KiB, those with certificates in them. */
const MAX_RESPONSE_BYTES = 64 * 1024

/**
 * Asks over HTTP by POST (RFC 6960 appendix A.1), directly: redirects are errors, and no proxy of the environment is used.
 * Certificates name their responders with http: the answer is signed. Throws ResponderError, or the signal's reason.
 */
export function createResponderClient({ clock }: { readonly clock: Clock }): AskResponder {
  // Agents of our own: those of Node may be told by the environment to use a proxy.
  const agents = { 'http:': new http.Agent(), 'https:': new https.Agent() }
  return (url, request, signal) => {
    const { host, protocol } = new URL(url)
    const expired = (): ResponderError =>
      failure('responder-timeout', host, `did not answer within ${TIMEOUT_MS / 1000} seconds`)
    return withDeadline({ clock, ms: TIMEOUT_MS, signal, expired }, (inTime) => {
      const options = { method: 'POST', headers: headersFor(request), signal: inTime }
      const outgoing =
        protocol === 'https:'
          ? https.request(url, { ...options, agent: agents['https:'] })
          : http.request(url, { ...options, agent: agents['http:'] })
      return exchange(outgoing, request, host, inTime)
    })
  }
}

function headersFor(request: Uint8Array): Record<string, string | number> {
  return {
    'Content-Type': 'application/ocsp-request',
    'Content-Length': request.length,
    Accept: 'application/ocsp-response',
  }
}

async function exchange(
  outgoing: ClientRequest,
  request: Uint8Array,
  host: string,
  signal: AbortSignal,
): Promise<Buffer> {
  try {
    const incoming = await responseTo(outgoing, request, signal)
    checkStatus(incoming, host)
    return await readBody(incoming, host)
  } catch (error) {
    if (signal.aborted) throw signal.reason
    if (error instanceof ResponderError) throw error
    throw failure('responder-unreachable', host, `cannot be reached: ${describeError(error)}`)
  } finally {
    // Hours pass until the next question.
    outgoing.destroy()
  }
}

function checkStatus({ statusCode: status = 0, headers }: IncomingMessage, host: string): void {
  if (status >= 300 && status < 400) {
    const target = JSON.stringify((headers.location ?? '').slice(0, 200))
    throw failure('responder-redirect', host, `points to ${target}, which is not followed`)
  }
  if (status !== 200) throw failure('responder-status', host, `answers with the status ${status}`)
}

async function readBody(incoming: IncomingMessage, host: string): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > MAX_RESPONSE_BYTES)
      throw failure('responder-response-too-large', host, `answers with more than ${MAX_RESPONSE_BYTES / 1024} KiB`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks, size)
}

function failure(code: ResponderErrorCode, host: string, what: string): ResponderError {
  return new ResponderError(code, `The OCSP responder ${host} ${what}.`, { responder: host })
}
