import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { type Certificate, parseChain } from '../../src/pki/certificate.ts'
import { createOcspRequest } from '../../src/pki/ocsp-request.ts'
import type { FakeCa } from '../fake-ca/fake-ca.ts'
import { type ResponseContent, signedResponse } from '../pki/signed-response.ts'
import type { Keyed } from '../pki/stapled-authority.ts'

/** What it does with a question in place of answering it; `content` is what it would say. */
export type Answer = (response: ServerResponse, content: ResponseContent) => void

/** The OCSP responder of a fake CA, at a real socket, in the CA's time. */
export class Responder {
  /** When it was asked. */
  readonly asked: number[] = []
  /** In place of the truth, as long as it is set. */
  answer: Answer | undefined
  readonly ca: FakeCa
  /** The CA's certificate and key, with which it signs. */
  readonly signer: Keyed
  readonly #now: () => number
  readonly #lifetimeMs: number
  readonly #byQuestion = new Map<string, Certificate>()
  /** So many of the CA's certificates are known by what is asked about them. */
  #read = 0
  #server: Server
  #port = 0

  private constructor(ca: FakeCa, now: () => number, lifetimeMs: number) {
    const [certificate] = parseChain(ca.authority.intermediates[0]!)
    this.ca = ca
    this.signer = { certificate, privateKey: ca.authority.keys.privateKey }
    this.#now = now
    this.#lifetimeMs = lifetimeMs
    this.#server = this.#createServer()
  }

  /** Of whatever the CA issues from now on. Its responses are good for `lifetimeMs`. */
  static async open(ca: FakeCa, now: () => number, lifetimeMs: number): Promise<Responder> {
    const responder = new Responder(ca, now, lifetimeMs)
    await responder.listen()
    ca.authority.ocspUrl = responder.url
    return responder
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/ocsp`
  }

  /** At the port that it had before, if it had one. */
  async listen(): Promise<void> {
    await once(this.#server.listen(this.#port, '127.0.0.1'), 'listening')
    this.#port = (this.#server.address() as AddressInfo).port
  }

  /** From now on connections are refused. */
  async close(): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#server.closeAllConnections()
    await closed
    this.#server = this.#createServer()
  }

  #createServer(): Server {
    return createServer((request, response) => void this.#serve(request, response))
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const question = await buffer(request)
    this.asked.push(this.#now())
    const issuer = this.signer.certificate
    const certificate = this.#find(question)
    if (certificate === undefined) return void response.writeHead(404).end()
    const thisUpdate = this.#now()
    const content = { certificate, issuer, signer: this.signer, thisUpdate, nextUpdate: thisUpdate + this.#lifetimeMs }
    if (this.answer !== undefined) return this.answer(response, content)
    sendResponse(response, signedResponse(content))
  }

  #find(question: Buffer): Certificate | undefined {
    const { all } = this.ca.certificates
    for (; this.#read < all.length; this.#read++) {
      const { certificate } = all[this.#read]!
      this.#byQuestion.set(createOcspRequest(certificate, this.signer.certificate).toString('hex'), certificate)
    }
    return this.#byQuestion.get(question.toString('hex'))
  }
}

export function sendResponse(response: ServerResponse, body: Buffer, type = 'application/ocsp-response'): void {
  response.writeHead(200, { 'Content-Type': type, 'Content-Length': body.length }).end(body)
}
