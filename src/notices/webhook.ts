import { createHmac, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import type { ClientRequest, IncomingMessage } from 'node:http'
import { describeError } from '../errors.ts'
import { trustedAuthorities } from '../system/authorities.ts'
import type { Clock } from '../system/clock.ts'
import { abortable, withDeadline } from '../system/deadline.ts'
import { http } from '../system/http.ts'
import { https } from '../system/https.ts'
import { castellanVersion } from '../version.ts'
import { type Channel, NotifyError } from './channel.ts'
import type { Notice } from './trouble.ts'
import { headline, inParagraphs } from './wording.ts'

export type WebhookOptions = {
  readonly name: string
  /** https, or http on a network of one's own. */
  readonly url: string
  /** Signs what is sent; undefined: nothing is signed. */
  readonly secret: string | undefined
  /** PEM, besides the authorities that this machine trusts. */
  readonly trust: string | undefined
  /** What this machine is called. */
  readonly machine: string
  readonly clock: Clock
}

/** From the name resolution to the head of the answer. */
const TIMEOUT_MS = 15_000
const USER_AGENT = `castellan/${castellanVersion}`

/** The headers of a delivery. */
const SIGNATURE = 'Castellan-Signature'
const TIMESTAMP = 'Castellan-Timestamp'
const DELIVERY = 'Castellan-Delivery'

/** Notices as JSON, by POST. Any answer of 2xx is a success; a redirect is none, and is not followed. */
export function createWebhook(options: WebhookOptions): Channel {
  const { name, url, clock } = options
  const { host } = new URL(url)
  return {
    name,
    gatherMs: 0,
    send(notices, signal) {
      const expired = (): NotifyError =>
        new NotifyError('notify-timeout', `${host} did not answer within ${TIMEOUT_MS / 1000} seconds.`, { host })
      return withDeadline({ clock, ms: TIMEOUT_MS, signal, expired }, (inTime) => post(notices, options, inTime))
    },
  }
}

async function post(notices: readonly Notice[], options: WebhookOptions, signal: AbortSignal): Promise<void> {
  const { url, secret, trust, clock, machine } = options
  const { host, protocol } = new URL(url)
  const body = bodyOf(notices, machine)
  const headers = { ...headersOf(body, secret, clock.now()), 'Content-Length': Buffer.byteLength(body) }
  // A connection for each: there are few, and none is kept for a server that may be another one tomorrow.
  const request = { method: 'POST', headers, signal, agent: false } as const
  const outgoing: ClientRequest =
    protocol === 'http:'
      ? http.request(url, request)
      : https.request(url, { ...request, ca: [...trustedAuthorities(), ...(trust === undefined ? [] : [trust])] })
  outgoing.on('error', () => {})
  try {
    const answered: Promise<IncomingMessage[]> = once(outgoing, 'response')
    outgoing.end(body)
    const [answer] = await abortable(answered, signal)
    const status = answer!.statusCode ?? 0
    if (status < 200 || status > 299) throw refused(host, status)
  } catch (error) {
    if (signal.aborted) throw signal.reason
    if (error instanceof NotifyError) throw error
    throw new NotifyError('notify-unreachable', `${host} cannot be reached: ${describeError(error)}`, { host })
  } finally {
    outgoing.destroy()
  }
}

function refused(host: string, status: number): NotifyError {
  const isRedirect = status >= 300 && status < 400
  const why = isRedirect ? ', and redirects are not followed: name the address that it leads to' : ''
  return new NotifyError('notify-refused', `${host} answered with status ${status}${why}.`, { host, status })
}

/** `text` is what chats show (Slack, Mattermost and others take it so). */
function bodyOf(notices: readonly Notice[], machine: string): string {
  const text =
    notices.length === 1
      ? inParagraphs(notices[0]!)
      : [`${notices.length} notices:`, ...notices.map((notice) => `- ${headline(notice)}`)].join('\n')
  const isoTime = (ms: number | undefined): string | null => (ms === undefined ? null : new Date(ms).toISOString())
  const listed = notices.map(({ at, since, expiresAt, ...rest }) => ({
    ...{ ...rest, at: isoTime(at), since: isoTime(since), expiresAt: isoTime(expiresAt) },
  }))
  return JSON.stringify({ version: 1, machine, text, notices: listed })
}

function headersOf(body: string, secret: string | undefined, now: number): Record<string, string> {
  const timestamp = String(Math.floor(now / 1000))
  return {
    'Content-Type': 'application/json',
    'User-Agent': USER_AGENT,
    [DELIVERY]: randomUUID(),
    [TIMESTAMP]: timestamp,
    ...(secret !== undefined && { [SIGNATURE]: `sha256=${signatureOf(secret, timestamp, body)}` }),
  }
}

/** HMAC-SHA256 (RFC 2104) over the timestamp, a full stop and the body, in hex: neither can be exchanged by itself. */
function signatureOf(secret: string, timestamp: string, body: string): string {
  return createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex')
}
