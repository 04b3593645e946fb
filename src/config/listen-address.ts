import { isIPv6 } from 'node:net'
import { canonicalIp, withoutBrackets } from './ip-address.ts'
import { PORT_FAULT, parsePort } from './port.ts'
import { Refusal } from './problem.ts'
import { isHostName } from './site-name.ts'
import type { TextFormat } from './text-format.ts'

/** Where to listen. */
export type ListenAddress =
  /** `host` undefined: every address of the machine, IPv4 and IPv6. IPv6 without brackets. */
  | { readonly type: 'tcp'; readonly host: string | undefined; readonly port: number }
  | { readonly type: 'unix'; readonly path: string }
  /** A listening socket handed over by whoever started the process (sd_listen_fds: from 3). */
  | { readonly type: 'fd'; readonly fd: number }

const ALLOWED = 'allowed: ":443", "127.0.0.1:443", "[::1]:443", "unix:/run/castellan.sock", "fd:3"'

/** 0 to 2 are standard input, output and error; systemd hands over from 3 on. */
const FIRST_FD = 3

/** Read without touching the disk: a relative socket path stays relative. */
export const listenAddressFormat: TextFormat<ListenAddress> = {
  allowed: ALLOWED,
  schema: {
    pattern: '^(.*:\\d{1,5}|unix:.+|fd:\\d+)$',
    examples: [':443', '127.0.0.1:8443', '[::1]:8443', 'unix:/run/castellan.sock', 'fd:3'],
  },
  read: readListenAddress,
  otherwise: (value) => (typeof value === 'number' ? `${didYouMeanAddress(`:${value}`)} ${ALLOWED}` : undefined),
}

const METRICS_ALLOWED = 'allowed: an address and a port, such as "127.0.0.1:9180"'

/** Where metrics are served: an address and a port. */
export const metricsAddressFormat: TextFormat<Extract<ListenAddress, { type: 'tcp' }>> = {
  allowed: METRICS_ALLOWED,
  schema: { pattern: '^.*:\\d{1,5}$', examples: ['127.0.0.1:9180'] },
  read(text) {
    const address = readListenAddress(text)
    if (address instanceof Refusal) return new Refusal(METRICS_ALLOWED)
    return address.type === 'tcp' ? address : new Refusal(METRICS_ALLOWED)
  },
}

function readListenAddress(text: string): ListenAddress | Refusal {
  if (text.startsWith('unix:')) return readSocketPath(text.slice('unix:'.length))
  if (text.startsWith('fd:')) return readFd(text.slice('fd:'.length))
  if (/^\d+$/.test(text)) return refuse('which has no colon', `:${text}`)
  if (text.startsWith('*:')) return refuse('but every address is the empty host', text.slice(1))
  if (isIPv6(withoutBrackets(text))) return refuse('which has no port', `[${withoutBrackets(text)}]:443`)
  const [, hostPart, digits] = /^(\[.*\]|[^:]*):(.*)$/.exec(text) ?? []
  if (hostPart === undefined || digits === undefined) return refuse('which has no port')
  const port = parsePort(digits)
  if (port === undefined) return refuse(PORT_FAULT)
  if (hostPart === '') return { type: 'tcp', host: undefined, port }
  const host = canonicalIp(hostPart) ?? hostPart.toLowerCase()
  if (canonicalIp(host) === undefined && !isHostName(host)) return refuse('whose host is neither an address nor a name')
  return { type: 'tcp', host, port }
}

function readSocketPath(path: string): ListenAddress | Refusal {
  return path === '' ? refuse('which has no path') : { type: 'unix', path }
}

function readFd(digits: string): ListenAddress | Refusal {
  const fd = /^\d{1,6}$/.test(digits) ? Number(digits) : 0
  return fd < FIRST_FD ? refuse(`but file descriptors start at ${FIRST_FD}`) : { type: 'fd', fd }
}

function refuse(fault: string, correction?: string): Refusal {
  return new Refusal(ALLOWED, { fault, hint: correction && didYouMeanAddress(correction) })
}

function didYouMeanAddress(correction: string): string {
  return `did you mean ${JSON.stringify(correction)}?`
}
