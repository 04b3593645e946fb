import type { AskResponder } from '../../src/certificates/responder.ts'
import { type Certificate, parseChain } from '../../src/pki/certificate.ts'
import { createOcspRequest } from '../../src/pki/ocsp-request.ts'
import type { Clock } from '../../src/system/clock.ts'
import { type ResponseContent, type Status, signedResponse } from '../pki/signed-response.ts'
import { type LeafTerms, StapledAuthority } from '../pki/stapled-authority.ts'
import type { Machine } from './machine.ts'

const DAY = 86_400_000

/** A CA with a responder that knows what it has issued, in the time of a fake clock. */
export class FakeResponder {
  readonly url = 'http://ocsp.test/'
  /** When it was asked. */
  readonly asked: number[] = []
  lifetimeMs = 7 * DAY
  statusOf: (certificate: Certificate) => Status = () => 'good'
  /** Set to make it fail. */
  fault: Error | undefined
  /** What is otherwise in the next responses. */
  differences: Partial<ResponseContent> = {}
  /** In place of what it would answer. */
  answer: ((response: Buffer) => Buffer) | undefined
  readonly issued: Certificate[] = []
  readonly #authority: StapledAuthority
  readonly #clock: Clock

  private constructor(authority: StapledAuthority, clock: Clock) {
    this.#authority = authority
    this.#clock = clock
  }

  static async create(clock: Clock): Promise<FakeResponder> {
    const times = { notBefore: clock.now() - DAY, notAfter: clock.now() + 3650 * DAY }
    return new FakeResponder(await StapledAuthority.create(times), clock)
  }

  /** From now on the machine's CA is this one, and its network leads here. */
  serve(machine: Machine, terms: Partial<LeafTerms> = {}): void {
    machine.askResponder = this.ask
    const { issue } = machine.ca
    machine.ca.issue = async (request, signal) => {
      // For its faults and its count of requests.
      await issue.call(machine.ca, request, signal)
      return this.issue({ names: request.names, keyKind: request.keyKind, ...terms })
    }
  }

  async issue(terms: Partial<LeafTerms> & Pick<LeafTerms, 'names'>): Promise<{ chain: string; privateKey: string }> {
    const now = this.#clock.now()
    const times = { notBefore: now - 60_000, notAfter: now + 90 * DAY }
    const issued = await this.#authority.issue({ ocspUrl: this.url, ...times, ...terms })
    this.issued.push(parseChain(issued.chain)[0])
    return issued
  }

  readonly ask: AskResponder = async (url, request, signal) => {
    if (url !== this.url) throw new Error(`${url} is asked`)
    signal.throwIfAborted()
    this.asked.push(this.#clock.now())
    if (this.fault !== undefined) throw this.fault
    const { root } = this.#authority
    const certificate = this.issued.find((each) => createOcspRequest(each, root.certificate).equals(request))
    if (certificate === undefined) throw new Error('an unknown certificate')
    const now = this.#clock.now()
    const response = signedResponse({
      certificate,
      issuer: root.certificate,
      status: this.statusOf(certificate),
      thisUpdate: now,
      nextUpdate: now + this.lifetimeMs,
      signer: root,
      ...this.differences,
    })
    return this.answer?.(response) ?? response
  }
}
