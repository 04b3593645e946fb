import { once } from 'node:events'
import type { Server } from 'node:http'
import type { ChallengeAnswer, ChallengePublisher } from '../challenges/challenge.ts'
import type { ListenAddress } from '../config/listen-address.ts'
import { describeError, errorCode } from '../errors.ts'
import { http } from '../system/http.ts'
import type { Finding } from './finding.ts'

const PREFIX = '/.well-known/acme-challenge/'

type Bound = { readonly server: Server; readonly protocol: 'https' | 'http' }
type Place = { readonly address: ListenAddress; readonly spoken: string; readonly protocol: 'https' | 'http' }

/**
 * Takes the ports of a program that does not run, for as long as it is looked at: whether they can be had, and to answer
 * http-01 on those for plain HTTP. Ports for HTTPS accept nothing meanwhile. Others than TCP are left alone.
 */
export class MomentaryFrontend implements ChallengePublisher, AsyncDisposable {
  readonly #bound: Bound[] = []
  readonly #answers = new Map<string, string>()

  /** Those that it has. */
  get ports(): number[] {
    return this.#bound.map(({ server }) => (server.address() as { port: number }).port)
  }

  get answersHttp(): boolean {
    return this.#bound.some(({ protocol }) => protocol === 'http')
  }

  /** Says of each what came of it. */
  async take(places: readonly Place[]): Promise<Finding[]> {
    const findings: Finding[] = []
    for (const place of places) findings.push(await this.#take(place))
    return findings
  }

  async publish(answer: ChallengeAnswer): Promise<void> {
    if (answer.type === 'http-01') this.#answers.set(`${PREFIX}${answer.token}`, answer.keyAuthorization)
  }

  async withdraw(answer: ChallengeAnswer): Promise<void> {
    if (answer.type === 'http-01') this.#answers.delete(`${PREFIX}${answer.token}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { server } of this.#bound) {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
  }

  async #take({ address, spoken, protocol }: Place): Promise<Finding> {
    const finding = { check: 'ports', subject: spoken } as const
    if (address.type !== 'tcp') return { ...finding, level: 'ok', seen: 'not tried, as the program does not run' }
    const server = http.createServer((request, response) => {
      const answer = protocol === 'http' ? this.#answers.get(request.url ?? '') : undefined
      if (answer === undefined) response.writeHead(503, { Connection: 'close' }).end()
      else response.writeHead(200, { 'Content-Type': 'application/octet-stream', Connection: 'close' }).end(answer)
    })
    try {
      await once(server.listen({ host: address.host, port: address.port }), 'listening')
      this.#bound.push({ server, protocol })
      return { ...finding, level: 'ok', seen: 'free' }
    } catch (error) {
      return { ...finding, level: 'fail', ...faultOf(error) }
    }
  }
}

function faultOf(error: unknown): Pick<Finding, 'seen' | 'advice'> {
  switch (errorCode(error)) {
    case 'EADDRINUSE':
      return { seen: 'in use by another program', advice: 'Stop that one, or listen elsewhere ("listen").' }
    case 'EACCES':
      return {
        seen: 'not permitted to this user',
        advice: 'Ports below 1024 want root or CAP_NET_BIND_SERVICE: see the README.',
      }
    default:
      return { seen: describeError(error), advice: 'Name an address of this machine under "listen".' }
  }
}
