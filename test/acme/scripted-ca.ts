import { createPublicKey, type KeyObject, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { CertificationRequest } from '@peculiar/asn1-csr'
import { AsnConvert } from '@peculiar/asn1-schema'
import { BasicConstraints, id_ce_basicConstraints, Name } from '@peculiar/asn1-x509'
import { decodeProtectedHeader, flattenedVerify, type JWK } from 'jose'
import { commonName, extension, signCertificate } from '../../src/pki/certificate-signing.ts'
import { generateKey, type KeyPair } from '../../src/pki/keys.ts'
import { subjectAlternativeName } from '../../src/pki/subject-names.ts'

/** What the client sent, its signature checked. */
export type ScriptedRequest = {
  readonly method: string
  readonly path: string
  readonly headers: http.IncomingHttpHeaders
  /** Of the JWS. */
  readonly header: { nonce?: string; url?: string; kid?: string; jwk?: JWK; alg?: string }
  /** Undefined for a POST-as-GET. */
  readonly payload: Readonly<Record<string, unknown>> | undefined
}

export type ScriptedAnswer = {
  readonly status?: number
  readonly headers?: Record<string, string>
  /** An object is sent as JSON, a string as it is. */
  readonly body?: unknown
}

/** `default` is what the CA would have said; `hang` says nothing for ever. */
export type Script = (
  request: ScriptedRequest,
  normal: () => Promise<ScriptedAnswer>,
) => ScriptedAnswer | 'hang' | Promise<ScriptedAnswer | 'hang'>

type Verdict =
  | { readonly request: Pick<ScriptedRequest, 'header' | 'payload'>; readonly refusal?: undefined }
  | { readonly refusal: ScriptedAnswer }

const NOW = Date.parse('2026-11-24T12:00:00Z')
const DAY_MS = 24 * 60 * 60 * 1000

/**
 * A small ACME server on loopback, over plain HTTP, that checks signatures, URLs and nonces and says what a test scripts.
 * Without a script it has every authorization valid at once and one order for all.
 */
export class ScriptedCa {
  readonly requests: ScriptedRequest[] = []
  /** By path: `/new-order`. */
  readonly scripts = new Map<string, Script>()
  origin = ''
  /** Of the directory. */
  meta: Record<string, unknown> = {}
  /** What else the directory has: a path for each resource (`keyChange: '/key-change'`). */
  resources: Record<string, string> = {}
  /** It tells when certificates should be renewed (RFC 9773). */
  hasRenewalInfo = false
  order: Record<string, unknown> = {}
  csr: Buffer | undefined
  /** Accounts by URL. */
  readonly accounts = new Map<string, JWK>()
  readonly #nonces = new Set<string>()
  readonly #server = http.createServer((request, response) => void this.#serve(request, response))
  readonly #authority: KeyPair

  private constructor(authority: KeyPair) {
    this.#authority = authority
  }

  static async open(): Promise<ScriptedCa> {
    const ca = new ScriptedCa(await generateKey('ecdsa-p256'))
    await once(ca.#server.listen(0, '127.0.0.1'), 'listening')
    ca.origin = `http://127.0.0.1:${(ca.#server.address() as AddressInfo).port}`
    return ca
  }

  get directory(): string {
    return `${this.origin}/dir`
  }

  /** Requests to this path. */
  to(path: string): ScriptedRequest[] {
    return this.requests.filter((request) => request.path === path)
  }

  /** Nonces that a script gives out by itself. */
  accept(...nonces: readonly string[]): void {
    for (const nonce of nonces) this.#nonces.add(nonce)
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  /** A certificate for the key of the order's CSR, unless told otherwise. PEM. */
  async certificate({
    names = this.#names(),
    publicKey = this.#csrKey(),
    issuer = 'Scripted Root',
    validMs = DAY_MS,
  } = {}) {
    return signCertificate(
      {
        issuer: commonName(issuer),
        subject: new Name(),
        publicKey,
        notBefore: NOW - DAY_MS,
        notAfter: NOW + validMs,
        extensions: [subjectAlternativeName(names, { critical: true })],
      },
      this.#authority.privateKey,
    )
  }

  /** The CA's own certificate, as the end of a longer chain. PEM. */
  async authorityCertificate(subject = 'Scripted Root', issuer = 'Older Root'): Promise<string> {
    const extensions = [extension(id_ce_basicConstraints, new BasicConstraints({ cA: true }), { critical: true })]
    const { publicKey, privateKey } = this.#authority
    const times = { notBefore: NOW - DAY_MS, notAfter: NOW + DAY_MS }
    return signCertificate(
      { issuer: commonName(issuer), subject: commonName(subject), publicKey, ...times, extensions },
      privateKey,
    )
  }

  async #serve(incoming: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    // Its certificates begin at a time of the tests, and so no other time is told.
    response.sendDate = false
    const body = Buffer.concat(await incoming.toArray()).toString()
    const { method = '', url: path = '', headers } = incoming
    const verdict = await this.#verify(path, body, method)
    if (verdict.refusal !== undefined) this.#send(response, verdict.refusal)
    else {
      const request = { method, path, headers, ...verdict.request }
      this.requests.push(request)
      const normal = (): Promise<ScriptedAnswer> => this.#normal(request)
      const answer = await (this.scripts.get(path)?.(request, normal) ?? normal())
      if (answer !== 'hang') this.#send(response, answer)
    }
  }

  /** RFC 8555 §6.2 to §6.5. */
  async #verify(path: string, body: string, method: string): Promise<Verdict> {
    if (method !== 'POST') return { request: { header: {}, payload: undefined } }
    const jws = JSON.parse(body)
    const header = decodeProtectedHeader(jws) as ScriptedRequest['header']
    const key = header.jwk ?? this.accounts.get(header.kid ?? '')
    if (key === undefined) return { refusal: problem('accountDoesNotExist', 'unknown kid') }
    const { payload } = await flattenedVerify(jws, importKey(key))
    if (header.url !== `${this.origin}${path}`)
      return { refusal: problem('unauthorized', 'the JWS is for another URL') }
    if (!this.#nonces.delete(header.nonce ?? '')) return { refusal: problem('badNonce', 'unknown nonce') }
    const text = Buffer.from(payload).toString()
    return { request: { header, payload: text === '' ? undefined : JSON.parse(text) } }
  }

  async #normal({ path, header, payload }: ScriptedRequest): Promise<ScriptedAnswer> {
    switch (path) {
      case '/dir':
        return { body: this.#directory() }
      case '/new-nonce':
        return {}
      case '/new-account':
        return this.#newAccount(header.jwk!, payload!)
      case '/new-order':
        this.order = { status: 'pending', identifiers: payload!.identifiers }
        return { status: 201, headers: { Location: `${this.origin}/order` }, body: this.orderBody() }
      case '/order':
        if (this.order.status === 'pending') this.order.status = 'ready'
        return { body: this.orderBody() }
      case '/finalize':
        this.csr = Buffer.from(String(payload!.csr), 'base64url')
        this.order.status = 'valid'
        return { body: this.orderBody() }
      case '/certificate':
        return { headers: { 'Content-Type': 'application/pem-certificate-chain' }, body: await this.certificate() }
      default:
        return path.startsWith('/authorization/')
          ? { body: this.authorization(path) }
          : { status: 404, body: 'nothing' }
    }
  }

  /** As it stands for the name of that path, valid unless told otherwise. */
  authorization(path: string, changes: Record<string, unknown> = {}): Record<string, unknown> {
    const name = this.#names()[Number(path.split('/')[2])]
    const token = `token-for-${name}-`.replaceAll('.', '_').padEnd(43, 'x')
    const challenges = ['http-01', 'tls-alpn-01', 'dns-01'].map((type) => ({
      type,
      url: `${this.origin}/challenge/${type}`,
      status: 'pending',
      token,
    }))
    return { status: 'valid', identifier: { type: 'dns', value: name }, challenges, ...changes }
  }

  #directory(): object {
    const { origin, meta } = this
    const more = Object.entries(this.resources).map(([name, path]) => [name, `${origin}${path}`])
    return {
      ...Object.fromEntries(more),
      newNonce: `${origin}/new-nonce`,
      newAccount: `${origin}/new-account`,
      newOrder: `${origin}/new-order`,
      ...(this.hasRenewalInfo && { renewalInfo: `${origin}/renewal-info` }),
      meta,
    }
  }

  #newAccount(jwk: JWK, payload: { onlyReturnExisting?: boolean }): ScriptedAnswer {
    const known = [...this.accounts].find(([, key]) => JSON.stringify(key) === JSON.stringify(jwk))
    if (known === undefined && payload.onlyReturnExisting) return problem('accountDoesNotExist', 'no such account')
    const url = known?.[0] ?? `${this.origin}/account/${this.accounts.size + 1}`
    this.accounts.set(url, jwk)
    return { status: known === undefined ? 201 : 200, headers: { Location: url }, body: { status: 'valid' } }
  }

  /** The order as it stands. */
  orderBody(): object {
    const authorizations = this.#names().map((_, index) => `${this.origin}/authorization/${index}`)
    const urls = { authorizations, finalize: `${this.origin}/finalize`, certificate: `${this.origin}/certificate` }
    return { ...urls, ...this.order }
  }

  #names(): string[] {
    const identifiers = this.order.identifiers as { value: string }[]
    return identifiers.map(({ value }) => value)
  }

  #csrKey(): KeyObject {
    const request = AsnConvert.parse(this.csr!, CertificationRequest)
    const spki = AsnConvert.serialize(request.certificationRequestInfo.subjectPKInfo)
    return createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' })
  }

  #send(response: http.ServerResponse, { status = 200, headers = {}, body }: ScriptedAnswer): void {
    const nonce = randomBytes(16).toString('base64url')
    this.#nonces.add(nonce)
    const isJson = typeof body === 'object'
    const type = isJson ? (status >= 400 ? 'application/problem+json' : 'application/json') : 'text/html'
    response.writeHead(status, { 'Content-Type': type, 'Replay-Nonce': nonce, ...headers })
    response.end(isJson ? JSON.stringify(body) : body)
  }
}

/** A problem document (RFC 8555 §6.7). */
export function problem(type: string, detail: string, fields: Record<string, unknown> = {}): ScriptedAnswer {
  return { status: 400, body: { type: `urn:ietf:params:acme:error:${type}`, detail, ...fields } }
}

function importKey(jwk: JWK): KeyObject {
  return createPublicKey({ key: jwk as Record<string, string>, format: 'jwk' })
}
