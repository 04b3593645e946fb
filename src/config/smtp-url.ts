import { withoutBrackets } from './ip-address.ts'
import { Refusal } from './problem.ts'
import type { TextFormat } from './text-format.ts'

/** A mail server; `isSecure`: TLS from the first byte. IPv6 without brackets. */
export type SmtpServer = { readonly host: string; readonly port: number; readonly isSecure: boolean }

const ALLOWED = 'allowed: smtp://host:587 (TLS by STARTTLS) or smtps://host:465 (TLS from the start)'

/** RFC 6409 §3.1 and RFC 8314 §3.3: where clients hand in mail. */
const DEFAULT_PORTS: Readonly<Record<string, number>> = { 'smtp:': 587, 'smtps:': 465 }

export const smtpFormat: TextFormat<SmtpServer> = {
  allowed: ALLOWED,
  schema: { pattern: '^smtps?://[^/@\\s]+/?$', examples: ['smtp://mail.example.com:587', 'smtps://mail.example.com'] },
  read(text) {
    const url = URL.parse(text)
    const defaultPort = DEFAULT_PORTS[url?.protocol ?? '']
    if (url === null || defaultPort === undefined) return new Refusal(ALLOWED)
    if (url.username !== '' || url.password !== '')
      return new Refusal(ALLOWED, { fault: 'which has a user name or a password: they go into user and password' })
    if (url.hostname === '' || !/^\/?$/.test(url.pathname) || url.search !== '' || url.hash !== '')
      return new Refusal(ALLOWED)
    const port = url.port === '' ? defaultPort : Number(url.port)
    if (port === 0) return new Refusal(ALLOWED)
    return { host: withoutBrackets(url.hostname).toLowerCase(), port, isSecure: url.protocol === 'smtps:' }
  },
}
