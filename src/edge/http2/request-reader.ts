import { type RequestHead, UNKNOWN_LENGTH } from '../exchange/exchange.ts'
import { type Expectation, readExpectation } from '../expectation.ts'
import { parseHost } from '../host.ts'
import { checkField, FieldRole, isPseudoField, parseContentLength } from './field-rules.ts'
import { streamError } from './http2-error.ts'

/** A request as its field section tells it. */
export type ReadRequest = {
  readonly head: RequestHead
  /** As in `Exchange`. */
  readonly contentLength: number
  readonly expectation: Expectation
  /** The value of its Priority field. */
  readonly priority: string | undefined
}

/** RFC 9110 §9.1. */
const METHOD = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
/** RFC 3986 §3.3, §3.4 by what it excludes: controls, space, `#` and all that must be percent-encoded beyond ASCII. */
const PATH = /^\/[\x21\x22\x24-\x7e]*$/
/** RFC 8441 §4: a token of the Upgrade Token registry. */
const PROTOCOL = METHOD

const DEFAULT_PORTS = { http: 80, https: 443 } as const

/**
 * Reads requests of one connection from their field sections (RFC 9113 §8.2, §8.3). A malformed one is an error of its
 * stream (§8.1.1).
 */
export class RequestReader {
  readonly #scheme: 'http' | 'https'
  /** Most requests of a connection have the same, and it takes a while to check. */
  #validAuthority: string | undefined

  /** The scheme is the connection's, whatever a client claims. */
  constructor(scheme: 'http' | 'https') {
    this.#scheme = scheme
  }

  read(fields: readonly string[], endsStream: boolean): ReadRequest {
    const section = new RequestSection()
    let at = 0
    for (; at < fields.length && isPseudoField(fields[at]!); at += 2) section.addPseudo(fields[at]!, fields[at + 1]!)
    for (; at < fields.length; at += 2) section.addField(fields[at]!, fields[at + 1]!)
    return this.#settle(section, endsStream)
  }

  #settle(section: RequestSection, endsStream: boolean): ReadRequest {
    const { method = missing(':method'), protocol } = section
    const isConnect = method === 'CONNECT'
    if (protocol !== undefined && !isConnect) throw streamError('pseudo-field-invalid', { name: ':protocol' })
    const isTunnel = isConnect && protocol === undefined
    const head: RequestHead = {
      // RFC 8441 §4: what asks to leave HTTP is a GET in HTTP/1.1.
      method: protocol === undefined ? method : 'GET',
      scheme: this.#scheme,
      authority: this.#authority(section, isConnect),
      target: isTunnel ? tunnelTarget(section) : originForm(section, method),
      version: '2',
      fields: section.regularFields(),
      upgrade: protocol,
      takesTrailers: section.takesTrailers,
    }
    const contentLength = section.contentLengthOf(endsStream, protocol !== undefined)
    return { head, contentLength, expectation: section.expectation, priority: section.priority }
  }

  /** RFC 9113 §8.3.1: `:authority`, or Host where there is none; both only if they are the same. */
  #authority({ authority, host }: RequestSection, isConnect: boolean): string {
    const chosen = authority ?? (isConnect ? missing(':authority') : host)
    if (chosen === undefined) throw streamError('authority-invalid')
    if (chosen !== this.#validAuthority && parseHost(chosen) === undefined)
      throw streamError('authority-invalid', { authority: chosen })
    this.#validAuthority = chosen
    if (host !== undefined && host !== chosen && !this.#isSame(host, chosen))
      throw streamError('host-conflict', { authority: chosen, host })
    return chosen
  }

  /** By scheme-based normalization (RFC 3986 §6.2.3). */
  #isSame(one: string, other: string): boolean {
    const defaultPort = DEFAULT_PORTS[this.#scheme]
    const [left, right] = [parseHost(one), parseHost(other)]
    return left !== undefined && left.name === right?.name && (left.port ?? defaultPort) === (right.port ?? defaultPort)
  }
}

/** What the fields of one request say, gathered in one pass over them. */
class RequestSection {
  method: string | undefined
  scheme: string | undefined
  path: string | undefined
  authority: string | undefined
  protocol: string | undefined
  host: string | undefined
  priority: string | undefined
  expect: string | undefined
  takesTrailers = false
  #contentLength: number | undefined
  readonly #fields: string[] = []
  #crumbs: string | undefined

  addPseudo(name: string, value: string): void {
    switch (name) {
      case ':method':
        once(this.method, name)
        if (value !== 'GET' && !METHOD.test(value)) throw streamError('method-invalid')
        this.method = value
        break
      case ':scheme':
        once(this.scheme, name)
        if (value !== 'https' && value !== 'http') throw streamError('scheme-invalid')
        this.scheme = value
        break
      case ':path':
        once(this.path, name)
        this.path = value
        break
      case ':authority':
        once(this.authority, name)
        this.authority = value
        break
      case ':protocol':
        once(this.protocol, name)
        if (!PROTOCOL.test(value)) throw streamError('pseudo-field-invalid', { name })
        this.protocol = value
        break
      default:
        throw streamError('pseudo-field-invalid', { name })
    }
  }

  addField(name: string, value: string): void {
    if (isPseudoField(name)) throw streamError('pseudo-field-late', { name })
    const role = checkField(name, value)
    if (role === FieldRole.plain) this.#fields.push(name, value)
    else this.#addSpecial(role, name, value)
  }

  #addSpecial(role: FieldRole, name: string, value: string): void {
    switch (role) {
      case FieldRole.host:
        if (this.host !== undefined) throw streamError('authority-invalid', { host: value })
        this.host = value
        return
      case FieldRole.cookie:
        this.#addCrumb(value)
        return
      case FieldRole.te:
        if (value.toLowerCase() !== 'trailers') throw streamError('field-connection-specific', { name })
        this.takesTrailers = true
        break
      case FieldRole.contentLength:
        if (this.#contentLength !== undefined) throw streamError('content-length-invalid', { value })
        this.#contentLength = parseContentLength(value)
        break
      case FieldRole.expect:
        this.expect = this.expect === undefined ? value : `${this.expect}, ${value}`
        break
      case FieldRole.priority:
        // RFC 9110 §5.3: repeated fields are one list.
        this.priority = this.priority === undefined ? value : `${this.priority}, ${value}`
    }
    this.#fields.push(name, value)
  }

  /**
   * RFC 9113 §8.2.3: one field again for whoever does not speak HTTP/2. An empty crumb adds nothing: at the end, it would be
   * white space that the next parser takes away.
   */
  #addCrumb(crumb: string): void {
    if (!this.#crumbs) this.#crumbs = crumb
    else if (crumb !== '') this.#crumbs += `; ${crumb}`
  }

  /** All but Host. */
  regularFields(): string[] {
    if (this.#crumbs !== undefined) this.#fields.push('cookie', this.#crumbs)
    return this.#fields
  }

  get expectation(): Expectation {
    return this.expect === undefined ? 'none' : readExpectation(this.expect)
  }

  /** RFC 9113 §8.1.1: what is announced must be what comes. */
  contentLengthOf(endsStream: boolean, isUpgrade: boolean): number {
    const announced = this.#contentLength
    if (isUpgrade && announced !== undefined) throw streamError('content-length-conflict')
    if (!endsStream) return announced ?? UNKNOWN_LENGTH
    if (announced !== undefined && announced !== 0) throw streamError('content-length-conflict', { announced })
    return 0
  }
}

/** RFC 9113 §8.3.1; `*` is for OPTIONS alone. */
function originForm({ path = missing(':path'), scheme }: RequestSection, method: string): string {
  if (scheme === undefined) missing(':scheme')
  if (path === '/' || PATH.test(path) || (path === '*' && method === 'OPTIONS')) return path
  throw streamError('path-invalid')
}

/** RFC 9113 §8.5: a CONNECT names an authority and nothing else. */
function tunnelTarget({ scheme, path, authority = missing(':authority') }: RequestSection): string {
  if (scheme !== undefined || path !== undefined) throw streamError('pseudo-field-invalid', { method: 'CONNECT' })
  return authority
}

function once(value: string | undefined, name: string): void {
  if (value !== undefined) throw streamError('pseudo-field-repeated', { name })
}

function missing(name: string): never {
  throw streamError('pseudo-field-missing', { name })
}
