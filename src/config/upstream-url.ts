import { withoutBrackets } from './ip-address.ts'
import { PORT_FAULT, parsePort } from './port.ts'
import { NOT_SUPPORTED_YET, Refusal } from './problem.ts'
import type { TextFormat } from './text-format.ts'

/** Where an app answers. IPv6 without brackets. `h2` is HTTP/2 over TLS, `h2c` HTTP/2 in clear. */
export type UpstreamAddress =
  | { readonly scheme: 'http' | 'https' | 'h2' | 'h2c'; readonly host: string; readonly port: number }
  | { readonly scheme: 'unix'; readonly path: string }

const ALLOWED = 'allowed: http://host:port, https://host:port, unix:/path; for HTTP/2 h2://host:port, h2c://host:port'

const DEFAULT_PORTS = { http: 80, https: 443, h2: 443, h2c: 80 } as const

type Scheme = keyof typeof DEFAULT_PORTS

/** Schemes that people try, and what becomes of them. */
const OTHER_SCHEMES: Readonly<Record<string, string>> = {
  grpc: 'but gRPC goes through h2c://',
  grpcs: 'but gRPC goes through h2://',
  ws: 'but WebSockets go through http://',
  wss: 'but WebSockets go through https://',
}

/** Read without touching the disk: a relative socket path stays relative. */
export const upstreamFormat: TextFormat<UpstreamAddress> = {
  allowed: ALLOWED,
  schema: {
    pattern: '^((https?|h2c?)://[^/?#@\\s]+/?|unix:.+)$',
    examples: ['http://localhost:3000', 'https://app.internal', 'h2c://localhost:50051', 'unix:/run/app.sock'],
  },
  read: readUpstream,
  otherwise(value) {
    return typeof value === 'number' ? `did you mean "http://localhost:${value}"? ${ALLOWED}` : undefined
  },
}

function readUpstream(text: string): UpstreamAddress | Refusal {
  if (text.startsWith('unix:')) return readSocketPath(text.slice('unix:'.length))
  const [, scheme, rest] = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/is.exec(text) ?? []
  if (scheme === undefined || rest === undefined) return refuse('which has no scheme', withScheme(text))
  const lower = scheme.toLowerCase()
  if (!isScheme(lower)) return refuse(OTHER_SCHEMES[lower] ?? 'whose scheme is unknown')
  return readAuthority(lower, rest.endsWith('/') ? rest.slice(0, -1) : rest)
}

function isScheme(text: string): text is Scheme {
  return Object.hasOwn(DEFAULT_PORTS, text)
}

function readAuthority(scheme: Scheme, authority: string): UpstreamAddress | Refusal {
  if (authority.includes('@')) return refuse('which has a user name or a password')
  if (/[?#]/.test(authority)) return refuse('which has a query or a fragment')
  if (authority.includes('/'))
    return refuse(`which has a path: a path in front of the request's is ${NOT_SUPPORTED_YET}`)
  // A URL parser would mend these in silence.
  if (/[\s\\%]/.test(authority)) return refuse('which has a character that no host has')
  const digits = /:([^:\]]*)$/.exec(authority)?.[1]
  const port = digits === undefined ? DEFAULT_PORTS[scheme] : parsePort(digits)
  if (port === undefined) return refuse(PORT_FAULT)
  const url = URL.parse(`http://${authority}`)
  if (url === null) return refuse('whose host is neither an address nor a name')
  return { scheme, host: withoutBrackets(url.hostname), port }
}

function readSocketPath(path: string): UpstreamAddress | Refusal {
  return path === '' ? refuse('which has no path') : { scheme: 'unix', path }
}

/** What was meant by `localhost:3000`, `:3000`, `3000` or `/run/app.sock`. */
function withScheme(text: string): string | undefined {
  if (text.startsWith('/')) return `unix:${text}`
  if (/^:?\d+$/.test(text)) return `http://localhost:${text.replace(':', '')}`
  return /^[\w.-]+(:\d+)?$|^\[[\da-f:]+\](:\d+)?$/i.test(text) ? `http://${text}` : undefined
}

function refuse(fault: string, correction?: string): Refusal {
  return new Refusal(ALLOWED, { fault, hint: correction && `did you mean ${JSON.stringify(correction)}?` })
}
