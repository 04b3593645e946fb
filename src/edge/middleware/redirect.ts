import type { Answer } from '../exchange/answer.ts'
import type { Host } from '../host.ts'

/** 308 keeps method and body (RFC 9110 §15.4.9), so a form sent to port 80 arrives. */
export const PERMANENT_REDIRECT = 308

/** Sends the client to the same path and query below another scheme and authority. `date` is the value of the Date field. */
export function redirect(target: string, to: string, status: number, date: string): Answer {
  const location = to + (target === '*' ? '/' : target)
  return { status, fields: ['Location', location, 'Date', date], text: '' }
}

/**
 * Where HTTPS is for a client that came over HTTP. A client that named no port, though we do not listen on 80, came through
 * a port mapping (a container, a router), which then maps 443 as well; only otherwise does our own port count.
 *
 * @param httpsPort where this program listens for HTTPS, or undefined on a Unix socket or an inherited one.
 */
export function httpsOrigin(host: Host, localPort: number | undefined, httpsPort: number | undefined): string {
  const isMapped = host.port === undefined && localPort !== 80
  return originAt('https', host.name, isMapped ? undefined : httpsPort)
}

/** Scheme and authority, as short as it can be. IPv6 addresses come without brackets. */
export function originAt(scheme: 'http' | 'https', name: string, port: number | undefined): string {
  const host = name.includes(':') ? `[${name}]` : name
  const isUsual = port === undefined || port === (scheme === 'https' ? 443 : 80)
  return isUsual ? `${scheme}://${host}` : `${scheme}://${host}:${port}`
}
