import { PORT_FAULT, parsePort } from './port.ts'
import { Refusal } from './problem.ts'
import type { TextFormat } from './text-format.ts'

const ALLOWED = 'allowed: scheme and host, such as "https://www.example.com"'

/** Where a site's visitors are sent: an origin (RFC 6454 §6.2) to which the request's own path and query are added. */
export const redirectTargetFormat: TextFormat<string> = {
  allowed: ALLOWED,
  schema: { pattern: '^https?://[^/?#@\\s]+/?$', examples: ['https://www.example.com'] },
  read: readRedirectTarget,
}

function readRedirectTarget(text: string): string | Refusal {
  const [, scheme, rest] = /^(https?):\/\/(.*)$/is.exec(text) ?? []
  if (scheme === undefined || rest === undefined) return refuse('which does not start with https:// or http://')
  const authority = rest.endsWith('/') ? rest.slice(0, -1) : rest
  if (authority.includes('@')) return refuse('which has a user name or a password')
  if (/[/?#]/.test(authority))
    return refuse("but a redirect keeps the request's path and query; give scheme and host only")
  // A URL parser would mend these in silence.
  if (/[\s\\%]/.test(authority)) return refuse('which has a character that no host has')
  const digits = /:([^:\]]*)$/.exec(authority)?.[1]
  if (digits !== undefined && parsePort(digits) === undefined) return refuse(PORT_FAULT)
  const url = URL.parse(`${scheme}://${authority}`)
  if (url === null) return refuse('whose host is neither an address nor a name')
  return url.origin
}

function refuse(fault: string): Refusal {
  return new Refusal(ALLOWED, { fault })
}
