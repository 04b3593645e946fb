import { type RequestHead, UNKNOWN_LENGTH } from '../exchange/exchange.ts'
import { readExpectation } from '../expectation.ts'
import { parseHost } from '../host.ts'
import { leavesHttp } from '../upgrade.ts'
import { type ControlFields, isPersistent, listHas } from './control-fields.ts'
import { isToken } from './field-section.ts'
import { CHUNKED, type Framing, type Http1Version, requestFraming } from './framing.ts'
import type { HeaderSections } from './header-sections.ts'
import { refuse } from './refusal.ts'
import { isSameAuthority, parseRequestTarget } from './request-target.ts'

/** A request as far as its head tells. */
export type ParsedRequest = {
  readonly request: RequestHead
  readonly framing: Framing
  readonly contentLength: number
  /** The client would send another request on this connection (RFC 9112 §9.3). */
  readonly isPersistent: boolean
  readonly expectsContinue: boolean
}

/**
 * Reads a request's head (RFC 9112 §3 and §5), as HeadReader gives it. `scheme` is that of the connection. Throws Refusal.
 */
export function parseRequestHead(text: string, scheme: RequestHead['scheme'], sections: HeaderSections): ParsedRequest {
  const lineEnd = text.indexOf('\r\n')
  const methodEnd = text.indexOf(' ')
  const targetEnd = text.indexOf(' ', methodEnd + 1)
  if (methodEnd < 0 || methodEnd > lineEnd) throw refuse('request-line-malformed')
  const method = text.slice(0, methodEnd)
  if (!isToken(method)) throw refuse('method-invalid')
  if (targetEnd < 0 || targetEnd > lineEnd) throw refuse('version-malformed')
  const version = parseVersion(text.slice(targetEnd + 1, lineEnd))
  const { target, authority } = parseRequestTarget(text.slice(methodEnd + 1, targetEnd), method)

  const { fields, control } = sections.read(text, lineEnd + 2)
  const host = readHost(control, version, authority)
  const framing = requestFraming(control, version)
  const is11 = version === '1.1'
  return {
    request: {
      method,
      scheme,
      authority: host,
      target,
      version,
      fields,
      upgrade: is11 && framing === 0 ? upgradeOf(control) : undefined,
      takesTrailers: is11 && listHas(control.te, 'trailers'),
    },
    framing,
    contentLength: framing === CHUNKED ? UNKNOWN_LENGTH : framing,
    isPersistent: isPersistent(control, version),
    expectsContinue: is11 && expectsContinue(control) && framing !== 0,
  }
}

/** RFC 9112 §2.3. Other minor versions do not exist, and who claims one is no client that we should serve. */
export function parseVersion(version: string): Http1Version {
  if (version === 'HTTP/1.1') return '1.1'
  if (version === 'HTTP/1.0') return '1.0'
  throw refuse(/^HTTP\/[0-9]\.[0-9]$/.test(version) ? 'version-unsupported' : 'version-malformed')
}

/** The authority that the request is for. Empty only in HTTP/1.0, which has no Host field. */
function readHost(
  { host, hosts }: Readonly<ControlFields>,
  version: Http1Version,
  ofTarget: string | undefined,
): string {
  if (hosts > 1) throw refuse('host-repeated')
  if (host === undefined) {
    if (version === '1.1') throw refuse('host-missing')
    return ofTarget ?? ''
  }
  if (parseHost(host) === undefined) throw refuse('host-invalid')
  if (ofTarget === undefined) return host
  // RFC 9112 §3.2.2 would have Host ignored. Who is behind us may not, and a request must be for one place only.
  if (!isSameAuthority(host, ofTarget)) throw refuse('host-contradicted')
  return ofTarget
}

/** RFC 9110 §7.8. An upgrade with content is none, for the content would be in the way. */
function upgradeOf({ upgrade, connection }: Readonly<ControlFields>): string | undefined {
  if (upgrade === undefined || !listHas(connection, 'upgrade')) return undefined
  return leavesHttp(upgrade) ? upgrade : undefined
}

function expectsContinue({ expect }: Readonly<ControlFields>): boolean {
  if (expect === undefined) return false
  const expectation = readExpectation(expect)
  if (expectation === 'unknown') throw refuse('expectation-unsupported')
  return expectation === 'continue'
}
