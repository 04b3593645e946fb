import { isIP, Socket } from 'node:net'
import { describeError } from '../errors.ts'
import { trustedAuthorities } from '../system/authorities.ts'
import type { Clock } from '../system/clock.ts'
import { abortable, withDeadline } from '../system/deadline.ts'
import { type Channel, NotifyError } from './channel.ts'
import type { Notice } from './trouble.ts'
import { headline, inParagraphs } from './wording.ts'

export type EmailOptions = {
  readonly name: string
  readonly to: string
  readonly from: string
  readonly server: {
    readonly host: string
    readonly port: number
    /** TLS from the first byte (RFC 8314 §3.3). */
    readonly isSecure: boolean
  }
  readonly login: { readonly user: string; readonly password: string } | undefined
  /** PEM, besides the authorities that this machine trusts. */
  readonly trust: string | undefined
  readonly machine: string
  readonly clock: Clock
}

/** What comes within this is one mail. */
const GATHER_MS = 60_000
/** RFC 5321 §4.5.3.2 allows minutes for each command; a server of one's own that takes so long is broken. */
const TIMEOUT_MS = 45_000
/** Of a subject, in characters: what programs show of it. */
const MAX_SUBJECT = 150

/**
 * Notices as mail, over SMTP. Where the server offers STARTTLS (RFC 3207), it is used, and its certificate verified; a
 * password goes to nobody without it, but for this machine itself.
 */
export function createEmail(options: EmailOptions): Channel {
  const { name, server, clock } = options
  return {
    name,
    gatherMs: GATHER_MS,
    send(notices, signal) {
      const { host } = server
      const message = `The mail server ${host} did not take the mail within ${TIMEOUT_MS / 1000} seconds.`
      const expired = (): NotifyError => new NotifyError('notify-timeout', message, { host })
      return withDeadline({ clock, ms: TIMEOUT_MS, signal, expired }, (inTime) => mail(notices, options, inTime))
    },
  }
}

async function mail(notices: readonly Notice[], options: EmailOptions, signal: AbortSignal): Promise<void> {
  const { to, from, server, login, machine } = options
  // Loaded with the first mail: it takes 27 MB, and most programs never send one.
  const { createTransport } = await import('nodemailer')
  const socket = new Socket()
  const transport = createTransport({
    ...{ host: server.host, port: server.port, secure: server.isSecure, socket },
    requireTLS: !server.isSecure && login !== undefined && !isThisMachine(server.host),
    tls: { ca: authorities(options), ...(isIP(server.host) === 0 && { servername: server.host }) },
    ...(login !== undefined && { auth: { user: login.user, pass: login.password } }),
    ...{ connectionTimeout: TIMEOUT_MS, greetingTimeout: TIMEOUT_MS, socketTimeout: TIMEOUT_MS },
    ...{ disableFileAccess: true, disableUrlAccess: true },
  })
  try {
    const sent = transport.sendMail({
      ...{ to, from, subject: subjectOf(notices), text: textOf(notices, machine) },
      // RFC 3834 §5: no vacation notice shall answer it.
      headers: { 'Auto-Submitted': 'auto-generated' },
    })
    await abortable(sent, signal)
  } catch (error) {
    if (signal.aborted) throw signal.reason
    throw refused(server.host, error)
  } finally {
    transport.close()
    socket.destroy()
  }
}

function authorities({ trust }: EmailOptions): string[] {
  return [...trustedAuthorities(), ...(trust === undefined ? [] : [trust])]
}

/** Where nobody listens in between. */
function isThisMachine(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host)
}

/** The server's own words, where it has said some. */
function refused(host: string, error: unknown): NotifyError {
  const answer = error instanceof Error && 'response' in error ? error.response : undefined
  if (typeof answer === 'string' && answer !== '')
    return new NotifyError('notify-refused', `The mail server ${host} refused: ${answer.trim()}`, { host })
  return new NotifyError('notify-unreachable', `The mail server ${host} failed: ${describeError(error)}`, { host })
}

function subjectOf(notices: readonly Notice[]): string {
  const title =
    notices.length === 1 ? headline(notices[0]!) : `${notices.length} notices: ${headline(notices[0]!)}, and more`
  const subject = `[Castellan] ${title}`
  return subject.length > MAX_SUBJECT ? `${subject.slice(0, MAX_SUBJECT)}…` : subject
}

function textOf(notices: readonly Notice[], machine: string): string {
  const paragraphs = notices.map(inParagraphs).join(`\n\n${'-'.repeat(40)}\n\n`)
  return `${paragraphs}\n\n-- \nCastellan on ${machine}\n`
}
