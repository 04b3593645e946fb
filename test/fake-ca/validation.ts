import { createHash } from 'node:crypto'
import { isIP } from 'node:net'
import type { ChallengeAnswer } from '../../src/challenges/challenge.ts'
import { parseChain } from '../../src/pki/certificate.ts'
import { urn } from './answer.ts'

/** What the CA sees of the world when it validates a name. */
export type View =
  /** The answers that stand at the frontends. */
  | { readonly standing: Iterable<ChallengeAnswer> }
  /** Frontends that it goes to. */
  | Frontends

/** What somebody meets who looks; undefined if that is nothing. */
export interface Frontends {
  /** What is there for a token of http-01 (RFC 8555 §8.3). */
  http(name: string, token: string): Promise<string | undefined>
  /** The certificate that is shown to `acme-tls/1` (RFC 8737 §3), DER. */
  tls(serverName: string): Promise<Buffer | undefined>
}

export type ValidationTask = {
  readonly name: string
  readonly type: string
  readonly token: string
  readonly thumbprint: string
}

/** How names fail: a problem document, or undefined where the CA is content. */
export class Validation {
  readonly #view: View
  /** Names whose CAA records forbid this CA. */
  readonly forbiddenByCaa = new Set<string>()
  /** Names that nobody answers for. */
  readonly unreachable = new Set<string>()
  /** Names that do not exist. */
  readonly unknown = new Set<string>()

  constructor(view: View) {
    this.#view = view
  }

  async validate({ name, type, token, thumbprint }: ValidationTask): Promise<object | undefined> {
    if (this.unknown.has(name)) return failure('dns', `DNS problem: NXDOMAIN looking up A for ${name}`)
    if (this.forbiddenByCaa.has(name))
      return failure('caa', `CAA record for ${name} prevents issuance`, { status: 403 })
    if (this.unreachable.has(name)) return failure('connection', `192.0.2.1: Fetching ${name}: Connection refused`)
    const keyAuthorization = `${token}.${thumbprint}`
    if (type === 'http-01' && (await this.#http(name, token)) === keyAuthorization) return undefined
    if (type === 'tls-alpn-01' && (await this.#tls(name, keyAuthorization))) return undefined
    return failure('unauthorized', `The answer to ${type} is not the one expected`, { status: 403 })
  }

  async #http(name: string, token: string): Promise<string | undefined> {
    if ('http' in this.#view) return this.#view.http(name, token)
    for (const answer of this.#view.standing)
      if (answer.type === 'http-01' && answer.name === name && answer.token === token) return answer.keyAuthorization
    return undefined
  }

  /** RFC 8737 §3: the certificate has the digest of the key authorization, in an OCTET STRING. */
  async #tls(name: string, keyAuthorization: string): Promise<boolean> {
    const digest = createHash('sha256').update(keyAuthorization).digest()
    if ('tls' in this.#view) return (await this.#view.tls(serverNameOf(name)))?.includes(digest) === true
    for (const answer of this.#view.standing)
      if (answer.type === 'tls-alpn-01' && answer.serverName === serverNameOf(name))
        return parseChain(answer.certificate)[0].x509.raw.includes(digest)
    return false
  }
}

/** RFC 8738 §6, for IPv4, which is all that tests validate. */
function serverNameOf(name: string): string {
  return isIP(name) === 4 ? `${name.split('.').reverse().join('.')}.in-addr.arpa` : name
}

function failure(type: string, detail: string, { status = 400 } = {}): object {
  return { type: urn(type), detail, status }
}
