import { once } from 'node:events'
import type { ClientRequest, IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { Agent as SecureAgent } from 'node:https'
import type { SecureContext } from 'node:tls'
import { describeError, errorCode } from '../errors.ts'
import { trustedAuthorities } from '../system/authorities.ts'
import type { Clock } from '../system/clock.ts'
import { abortable, withDeadline } from '../system/deadline.ts'
import { http } from '../system/http.ts'
import { https } from '../system/https.ts'
import { tls } from '../system/tls.ts'
import { AcmeError } from './acme-error.ts'
import { quote } from './quote.ts'

/** Name resolution, TCP and TLS together; three lost SYNs are 7 s. */
const CONNECT_TIMEOUT_MS = 10_000

/** One request with its whole answer. Boulder's own deadline for a request is below this. */
const REQUEST_TIMEOUT_MS = 30_000

/** Directories and orders are a few KiB, chains at most 64: nothing honest comes near. */
const MAX_RESPONSE_BYTES = 1024 * 1024

/** Honest servers send one or two (RFC 9110 §15.2); each can be as large as a head, and there is no end to them. */
const MAX_INTERIM_RESPONSES = 16

/** Enough for a burst of authorizations, and nothing that an ACME server would call abuse. */
const MAX_SOCKETS = 8

/** Less than the idle timeouts of the usual load balancers, so that we are the ones who hang up. */
const IDLE_SOCKET_MS = 15_000

export type TransportRequest = {
  readonly method: 'GET' | 'HEAD' | 'POST'
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
}

/** A whole response, whatever its status; never a redirect. */
export type TransportResponse = {
  readonly url: string
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** The network, as far as ACME needs it. */
export interface Transport {
  /** Throws AcmeError `acme-unreachable`, `-untrusted`, `-timeout`, `-redirect`, `-response-invalid` or `-response-too-large`. */
  send(request: TransportRequest, signal: AbortSignal): Promise<TransportResponse>
}

export type TransportOptions = {
  readonly clock: Clock
  /** PEM certificates that the server may be signed by, besides the authorities that this machine trusts. */
  readonly trust?: string | undefined
}

/** HTTP over node's own client: connections are kept for the next request, and a redirect is an error. */
export function createTransport({ clock, trust }: TransportOptions): Transport {
  const keepAlive = { keepAlive: true, maxSockets: MAX_SOCKETS, timeout: IDLE_SOCKET_MS }
  const agent = new http.Agent(keepAlive)
  let secureAgent: SecureAgent | undefined
  // One context for all connections, and none before the first: reading the system's authorities takes 50 ms, and 5 MB.
  const secure = (): SecureAgent => {
    secureAgent ??= new https.Agent({ ...keepAlive, secureContext: secureContext(trust) })
    return secureAgent
  }
  const open = ({ method, url, headers }: TransportRequest, signal: AbortSignal): ClientRequest =>
    new URL(url).protocol === 'http:'
      ? http.request(url, { method, headers, signal, agent })
      : https.request(url, { method, headers, signal, agent: secure() })

  return {
    send: (request, signal) => {
      const { host } = new URL(request.url)
      const expired = (): AcmeError => timeout(host, 'did not answer', REQUEST_TIMEOUT_MS)
      return withDeadline({ clock, ms: REQUEST_TIMEOUT_MS, signal, expired }, (inTime) =>
        exchange(open(request, inTime), request, { clock, host, signal: inTime }),
      )
    },
  }
}

type ExchangeContext = { readonly clock: Clock; readonly host: string; readonly signal: AbortSignal }

async function exchange(
  outgoing: ClientRequest,
  { url, body }: TransportRequest,
  { clock, host, signal }: ExchangeContext,
): Promise<TransportResponse> {
  const answered: Promise<IncomingMessage[]> = once(outgoing, 'response')
  // A request is flushed as soon as there is a connection to flush it to.
  const flushed = Promise.race([once(outgoing, 'finish'), answered])
  const expired = (): AcmeError => timeout(host, 'could not be connected to', CONNECT_TIMEOUT_MS)
  // Whoever waits gets errors from `once`. One that comes when nobody does must not end the process.
  outgoing.on('error', () => {})
  refuseInterimFloods(outgoing, host)
  try {
    outgoing.end(body)
    await withDeadline({ clock, ms: CONNECT_TIMEOUT_MS, signal, expired }, (soon) => abortable(flushed, soon))
    const [incoming] = await abortable(answered, signal)
    const { statusCode: status = 0, headers } = incoming!
    if (status >= 300 && status < 400) throw redirect(host, status, headers.location)
    return { url, status, headers, body: await readBody(incoming!, host) }
  } catch (error) {
    outgoing.destroy()
    if (signal.aborted) throw signal.reason
    throw error instanceof AcmeError ? error : connectionFailed(host, error)
  }
}

/** Responses before the final one (RFC 9110 §15.2) are passed over, but neither in any number nor a change of protocol. */
function refuseInterimFloods(outgoing: ClientRequest, host: string): void {
  const refuse = (what: string): void => {
    // Emitted by hand: after an upgrade, destroy() tells nobody.
    outgoing.emit('error', new AcmeError('acme-response-invalid', `The ACME server ${host} ${what}.`, { server: host }))
    outgoing.destroy()
  }
  let interim = 0
  outgoing.on('information', () => {
    if (++interim === MAX_INTERIM_RESPONSES + 1) refuse(`sent more than ${MAX_INTERIM_RESPONSES} interim responses`)
  })
  outgoing.once('upgrade', (_, socket) => {
    socket.destroy()
    refuse('switched to another protocol, which nobody asked for')
  })
}

async function readBody(incoming: IncomingMessage, host: string): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > MAX_RESPONSE_BYTES)
      throw new AcmeError(
        'acme-response-too-large',
        `The answer of ${host} is larger than ${MAX_RESPONSE_BYTES} bytes.`,
        {
          server: host,
        },
      )
    chunks.push(chunk)
  }
  return Buffer.concat(chunks, size).toString('utf8')
}

function secureContext(trust: string | undefined): SecureContext {
  return tls.createSecureContext({ ca: [...trustedAuthorities(), ...(trust === undefined ? [] : [trust])] })
}

/** OpenSSL's verification errors and Node's own check of the name, as they appear in `error.code`. */
const UNTRUSTED = /^(CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|ERR_TLS_CERT_)/

function connectionFailed(host: string, cause: unknown): AcmeError {
  const reason = quote(describeError(cause), 300)
  const facts = { server: host, reason: errorCode(cause) }
  if (UNTRUSTED.test(errorCode(cause) ?? '')) {
    // After a semicolon comes Node's advice on its own command line.
    const [verdict] = reason.split(';')
    const advice = 'If this CA is your own, give its root certificate as the issuer’s “trust”.'
    return new AcmeError('acme-untrusted', `The certificate of ${host} is not trusted: ${verdict}. ${advice}`, facts)
  }
  return new AcmeError('acme-unreachable', `The ACME server ${host} cannot be reached: ${reason}.`, facts, { cause })
}

function timeout(host: string, what: string, ms: number): AcmeError {
  return new AcmeError('acme-timeout', `The ACME server ${host} ${what} within ${ms / 1000} seconds.`, { server: host })
}

function redirect(host: string, status: number, location: string | undefined): AcmeError {
  const target = location === undefined ? 'nowhere' : quote(location, 300)
  const advice = 'Redirects are not followed here: check the directory’s URL.'
  return new AcmeError('acme-redirect', `${host} answered ${status} and points to ${target}. ${advice}`, {
    server: host,
    status,
    location: target,
  })
}
