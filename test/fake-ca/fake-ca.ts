import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { decodeProtectedHeader, flattenedVerify, type JWK } from 'jose'
import { isSameKey } from '../../src/pki/keys.ts'
import { type CaAccount, CaAccounts, importKey } from './accounts.ts'
import { type CaAnswer, Refusal } from './answer.ts'
import { CaAuthorizations } from './authorizations.ts'
import { Authority, type CaCertificate, CaCertificates } from './certificates.ts'
import { CaDirectory } from './directory.ts'
import { Faults, type Step } from './faults.ts'
import { CaNonces } from './nonces.ts'
import { CaOrders } from './orders.ts'
import { RateLimits } from './rate-limits.ts'
import { CaRenewalInfo } from './renewal-info.ts'
import { Validation, type View } from './validation.ts'

type Payload = Readonly<Record<string, unknown>>

/** What was asked, with its signature checked if it had one. */
type Asked = {
  readonly path: readonly string[]
  readonly address: string
  readonly kid: string | undefined
  readonly jwk: JWK | undefined
  /** Undefined for what is read. */
  readonly payload: Payload | undefined
}

/** A request that was understood, by the step that it is; undefined for what is no step of an order. */
export type CaRequest = { readonly step: Step | undefined; readonly path: string; payload?: Payload | undefined }

/**
 * An ACME CA (RFC 8555, RFC 9773) on loopback, over plain HTTP, that behaves as Let's Encrypt does, limits included, and
 * goes wrong wherever a test wants it to. Its time is the test's, so that its limits over days take no time.
 */
export class FakeCa {
  /** In the order in which they came. */
  readonly requests: CaRequest[] = []
  readonly faults = new Faults()
  readonly directory: CaDirectory
  readonly nonces = new CaNonces()
  readonly limits: RateLimits
  readonly accounts: CaAccounts
  readonly validation: Validation
  readonly authorizations: CaAuthorizations
  readonly certificates: CaCertificates
  readonly renewalInfo: CaRenewalInfo
  readonly orders: CaOrders
  /** What it signs with. */
  readonly authority: Authority
  readonly #now: () => number
  #server = this.#createServer()
  #port = 0

  private constructor(now: () => number, view: View, authority: Authority) {
    const url = (path: string): string => `${this.origin}${path}`
    this.#now = now
    this.authority = authority
    this.directory = new CaDirectory(url)
    this.limits = new RateLimits(now)
    this.accounts = new CaAccounts(url, this.directory, this.limits)
    this.validation = new Validation(view)
    this.authorizations = new CaAuthorizations(now, url, this.limits, this.validation)
    this.certificates = new CaCertificates(now, url, authority)
    this.renewalInfo = new CaRenewalInfo(this.certificates)
    const { directory, limits, authorizations, certificates, renewalInfo } = this
    this.orders = new CaOrders({ now, url, directory, limits, authorizations, certificates, renewalInfo })
  }

  /** @param now its time, in milliseconds since 1970. */
  static async open(now: () => number, view: View = { standing: [] }): Promise<FakeCa> {
    const ca = new FakeCa(now, view, await Authority.create(now()))
    await ca.listen()
    return ca
  }

  get origin(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  get url(): string {
    return `${this.origin}/directory`
  }

  /** Requests of this step. */
  of(step: Step): CaRequest[] {
    return this.requests.filter((request) => request.step === step)
  }

  /** At the port that it had before, if it had one. */
  async listen(): Promise<void> {
    if (this.#server.listening) return
    await once(this.#server.listen(this.#port, '127.0.0.1'), 'listening')
    this.#port = (this.#server.address() as AddressInfo).port
  }

  /** From now on connections are refused; a request that is being answered still is. */
  stopListening(): void {
    if (this.#server.listening) this.#server.close()
    this.#server = this.#createServer()
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#server.closeAllConnections()
    await closed
  }

  #createServer(): http.Server {
    return http.createServer((request, response) => void this.#serve(request, response))
  }

  async #serve(incoming: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    response.sendDate = false
    const { method = '', url = '' } = incoming
    const body = await incoming.toArray().then((chunks) => Buffer.concat(chunks).toString())
    const path = url.split('/').slice(1)
    const step = this.#stepOf(path)
    const request: CaRequest = { step, path: url }
    this.requests.push(request)
    const address = String(incoming.socket.remoteAddress)
    const answer = async (): Promise<CaAnswer> => {
      const asked = { path, address, ...(method === 'POST' ? await this.#verify(url, body) : UNSIGNED) }
      request.payload = asked.payload
      return this.#answer(asked)
    }
    const act = (): Promise<CaAnswer> => answer().catch(refused)
    const send = (answer: CaAnswer): void => this.#send(response, answer, step)
    if (await this.faults.spoil(step, { response, act, send })) return
    send(await act())
  }

  /** RFC 8555 §6.2 to §6.5. Throws Refusal. */
  async #verify(path: string, body: string): Promise<Pick<Asked, 'kid' | 'jwk' | 'payload'>> {
    const jws = JSON.parse(body)
    const { jwk, kid, url, nonce } = decodeProtectedHeader(jws) as { jwk?: JWK } & Record<string, string>
    const key = jwk ?? this.accounts.of(kid).jwk
    const { payload } = await flattenedVerify(jws, importKey(key))
    if (url !== this.origin + path) throw new Refusal('unauthorized', 'JWS header parameter url is another URL')
    this.nonces.take(nonce)
    const text = Buffer.from(payload).toString()
    return { kid, jwk, payload: text === '' ? undefined : JSON.parse(text) }
  }

  #stepOf([what, id, chain]: readonly string[]): Step | undefined {
    switch (what) {
      case 'directory':
      case 'challenge':
      case 'finalize':
        return what
      case 'new-nonce':
        return 'newNonce'
      case 'new-account':
        return 'newAccount'
      case 'new-order':
        return 'newOrder'
      case 'renewal-info':
        return 'renewalInfo'
      case 'authorization':
        return this.authorizations.all[Number(id)]?.answered === undefined ? 'authorization' : 'authorizationPoll'
      case 'order':
        return this.orders.all[Number(id)]?.state === 'open' ? 'order' : 'orderPoll'
      case 'certificate':
        return chain === undefined ? 'certificate' : 'alternateChain'
      default:
        return undefined
    }
  }

  async #answer(asked: Asked): Promise<CaAnswer> {
    const { jwk, address, payload = {} } = asked
    const [what, id] = asked.path
    switch (what) {
      case 'directory':
        return this.directory.answer()
      case 'new-nonce':
        return {}
      case 'renewal-info':
        return this.renewalInfo.answer(id!)
      case 'new-account':
        return this.accounts.register(jwk!, payload, address)
      case 'revoke-cert':
        return this.certificates.answerRevocation(payload.certificate, (issued) => mayRevoke(asked, issued))
      default:
        return this.#answerAccount(this.accounts.of(asked.kid), asked)
    }
  }

  /** What needs an account. */
  async #answerAccount(account: CaAccount, { path, payload }: Asked): Promise<CaAnswer> {
    const [what, id, more] = path
    switch (what) {
      case 'account':
        return this.accounts.update(account, payload)
      case 'new-order':
        this.accounts.checkTerms(account)
        return this.orders.create(account, payload!)
      case 'order':
        return this.orders.read(this.orders.find(account, Number(id)))
      case 'authorization':
        return this.authorizations.read(this.authorizations.find(account, Number(id)))
      case 'challenge':
        return this.authorizations.begin(this.authorizations.find(account, Number(id)), more!)
      case 'finalize':
        return this.orders.finalize(this.orders.find(account, Number(id)), payload?.csr)
      case 'certificate':
        return this.certificates.download(this.certificates.all[Number(id)]!, Number(more ?? 0))
      default:
        throw new Refusal('malformed', 'Page not found', { status: 404 })
    }
  }

  #send(response: http.ServerResponse, { status = 200, headers = {}, body }: CaAnswer, step: Step | undefined): void {
    if (response.destroyed) return
    const isLast = step !== undefined && this.faults.isLastBeforeRefusal(step)
    if (isLast) this.stopListening()
    const isJson = typeof body === 'object'
    const type = isJson ? (status >= 400 ? 'application/problem+json' : 'application/json') : 'text/html'
    const connection = isLast ? { Connection: 'close' } : {}
    const nonce = step === 'directory' || step === 'renewalInfo' ? {} : { 'Replay-Nonce': this.nonces.make() }
    const date = new Date(this.#now()).toUTCString()
    response.writeHead(status, { 'Content-Type': type, Date: date, ...connection, ...nonce, ...headers })
    response.end(isJson ? JSON.stringify(body) : body)
  }
}

const UNSIGNED = { kid: undefined, jwk: undefined, payload: undefined }

function mayRevoke({ kid, jwk }: Asked, { account, certificate }: CaCertificate): boolean {
  return jwk === undefined ? account.url === kid : isSameKey(importKey(jwk), certificate.publicKey)
}

function refused(error: unknown): CaAnswer {
  if (error instanceof Refusal) return error.answer
  throw error
}
