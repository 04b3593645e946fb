import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import tls from 'node:tls'
import type { ChallengeAnswer, ChallengePublisher } from '../../src/challenges/challenge.ts'

/** A gate with nothing behind it: answers the challenges published to it on two ports of 127.0.0.1, and counts. */
export class ChallengeFrontend implements ChallengePublisher {
  readonly published: ChallengeAnswer[] = []
  /** What is published and not withdrawn. */
  readonly standing = new Set<ChallengeAnswer>()
  /** Types that this frontend keeps to itself, as a firewall would. */
  readonly mute = new Set<ChallengeAnswer['type']>()
  readonly #http = http.createServer((request, response) => {
    const answer = this.#find('http-01', ({ token }) => request.url === `/.well-known/acme-challenge/${token}`)
    response.writeHead(answer === undefined ? 404 : 200).end(answer?.keyAuthorization)
  })
  readonly #tls = tls.createServer({
    ALPNProtocols: ['acme-tls/1'],
    SNICallback: (name, done) => {
      const answer = this.#find('tls-alpn-01', ({ serverName }) => serverName === name)
      if (answer === undefined) done(new Error(`no challenge for ${name}`))
      else done(null, tls.createSecureContext({ cert: answer.certificate, key: answer.privateKey }))
    },
  })

  static async open(): Promise<ChallengeFrontend> {
    const frontend = new ChallengeFrontend()
    for (const server of [frontend.#http, frontend.#tls]) await once(server.listen(0, '127.0.0.1'), 'listening')
    frontend.#tls.on('tlsClientError', () => {}) // Handshakes without a challenge fail, as they should.
    return frontend
  }

  get httpPort(): number {
    return (this.#http.address() as AddressInfo).port
  }

  get tlsPort(): number {
    return (this.#tls.address() as AddressInfo).port
  }

  async publish(answer: ChallengeAnswer): Promise<void> {
    this.published.push(answer)
    this.standing.add(answer)
  }

  async withdraw(answer: ChallengeAnswer): Promise<void> {
    this.standing.delete(answer)
  }

  async close(): Promise<void> {
    this.#http.closeAllConnections()
    await Promise.all([this.#http, this.#tls].map((server) => new Promise((resolve) => server.close(resolve))))
  }

  #find<T extends ChallengeAnswer['type']>(
    type: T,
    matches: (answer: Extract<ChallengeAnswer, { type: T }>) => boolean,
  ): Extract<ChallengeAnswer, { type: T }> | undefined {
    if (this.mute.has(type)) return undefined
    for (const answer of this.standing)
      if (answer.type === type && matches(answer as Extract<ChallengeAnswer, { type: T }>))
        return answer as Extract<ChallengeAnswer, { type: T }>
    return undefined
  }
}
