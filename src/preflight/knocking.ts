import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { quote } from '../acme/quote.ts'
import type { ChallengeAnswer } from '../challenges/challenge.ts'
import type { ChallengeType } from '../challenges/solver.ts'
import { describeError, errorCode } from '../errors.ts'
import { http } from '../system/http.ts'
import { tls } from '../system/tls.ts'
import type { Knock, Knocking } from './probe.ts'

/** Where CAs validate, whatever this machine listens on (RFC 8555 §8.3, RFC 8737 §3). */
const PORTS = { 'http-01': 80, 'tls-alpn-01': 443 } as const

/** A key authorization has under 200 bytes; of a stranger's page no more is read. */
const MAX_BODY_BYTES = 4 * 1024

/** Knocks as CAs do, over the network; on other ports than theirs only for tests. */
export function createKnocking(
  ports: Readonly<Record<ChallengeType, number>> = PORTS,
): Record<ChallengeType, Knocking> {
  return {
    'http-01': (address, answer, signal) => knockHttp({ address, port: ports['http-01'] }, answer, signal),
    'tls-alpn-01': (address, answer, signal) => knockTls({ address, port: ports['tls-alpn-01'] }, answer, signal),
  }
}

type Door = { readonly address: string; readonly port: number }

async function knockHttp({ address, port }: Door, answer: ChallengeAnswer, signal: AbortSignal): Promise<Knock> {
  if (answer.type !== 'http-01') throw new TypeError('An answer to http-01 is needed.')
  const { name, token, keyAuthorization } = answer
  const host = name.includes(':') ? `[${name}]` : name
  const path = `/.well-known/acme-challenge/${token}`
  // A connection of its own, as a CA's would be.
  const outgoing = http.request({ host: address, port, path, headers: { Host: host }, agent: false, signal })
  try {
    const answered = once(outgoing, 'response')
    outgoing.on('error', () => {})
    outgoing.end()
    const [incoming] = (await answered) as [IncomingMessage]
    const { statusCode: status = 0, headers } = incoming
    if (status >= 300 && status < 400)
      return { outcome: 'elsewhere', seen: `redirects to ${quote(headers.location ?? 'nowhere', 100)}` }
    const body = status === 200 ? await readBody(incoming) : ''
    if (body.trimEnd() === keyAuthorization) return { outcome: 'ours', seen: 'is this program' }
    const server = headers.server === undefined ? '' : ` (${quote(String(headers.server), 40)})`
    return { outcome: 'other', seen: `answers ${status}${server}, and is not this program` }
  } catch (error) {
    return fault(error, signal)
  } finally {
    outgoing.destroy()
  }
}

async function readBody(incoming: IncomingMessage): Promise<string> {
  let body = ''
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    body += chunk.toString('latin1')
    if (body.length > MAX_BODY_BYTES) break
  }
  return body
}

async function knockTls({ address, port }: Door, answer: ChallengeAnswer, signal: AbortSignal): Promise<Knock> {
  if (answer.type !== 'tls-alpn-01') throw new TypeError('An answer to tls-alpn-01 is needed.')
  const { serverName: servername, certificate } = answer
  // RFC 8737 §3: the certificate is self-signed, and its being this one is all that counts.
  const options = { host: address, port, servername, ALPNProtocols: ['acme-tls/1'], rejectUnauthorized: false }
  const socket = tls.connect(options)
  let isConnected = false
  socket.on('error', () => {})
  socket.once('connect', () => {
    isConnected = true
  })
  try {
    await once(socket, 'secureConnect', { signal })
    const shown = socket.getPeerX509Certificate()?.fingerprint256
    if (shown === new X509Certificate(certificate).fingerprint256) return { outcome: 'ours', seen: 'is this program' }
    return { outcome: 'other', seen: 'shows another certificate, and is not this program' }
  } catch (error) {
    signal.throwIfAborted()
    // OpenSSL's own errors are about what the other side has said.
    if (isConnected && (errorCode(error) ?? '').startsWith('ERR_SSL_'))
      return { outcome: 'other', seen: `refuses the challenge's handshake (${quote(describeError(error), 120)})` }
    return fault(error, signal)
  } finally {
    socket.destroy()
  }
}

function fault(error: unknown, signal: AbortSignal): Knock {
  signal.throwIfAborted()
  return { outcome: 'silent', seen: `cannot be reached (${errorCode(error) ?? quote(describeError(error), 80)})` }
}
