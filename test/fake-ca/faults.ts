import type http from 'node:http'
import { type CaAnswer, problem } from './answer.ts'
import { pausedProblem } from './rate-limits.ts'

/** What a client does on the way to a certificate, in the order in which it does. */
export const steps = [
  'directory',
  'newNonce',
  'newAccount',
  'newOrder',
  'authorization',
  'challenge',
  /** After the challenge. */
  'authorizationPoll',
  /** Before it is finalized. */
  'order',
  'finalize',
  /** After it was finalized. */
  'orderPoll',
  'certificate',
  'alternateChain',
  'renewalInfo',
] as const

export type Step = (typeof steps)[number]

/** One request to the CA, for a fault to spoil. */
export type Exchange = {
  readonly response: http.ServerResponse
  /** Does what was asked for, and gives what would be said. */
  readonly act: () => Promise<CaAnswer>
  readonly send: (answer: CaAnswer) => void
}

type Spoil = (exchange: Exchange) => void | Promise<void>

/** Seconds: what the CA asks for with 503, and with 429. */
export const OVERLOAD_SECONDS = 120
export const LIMIT_SECONDS = 3600

const OVERSIZE_BYTES = 2 * 1024 * 1024

/** All of an answer but its end, as large as it was announced. */
async function cutOff({ act, response }: Exchange): Promise<void> {
  const { headers, body } = await act()
  const text = typeof body === 'string' ? body : JSON.stringify(body ?? {})
  const type = { 'Content-Type': 'application/json', ...headers }
  response.writeHead(200, { ...type, 'Content-Length': Buffer.byteLength(text) })
  response.write(text.slice(0, text.length / 2), () => response.destroy())
}

/** What may go wrong with one request. `refused` is not here: the CA does not even listen then. */
const spoils = {
  /** The connection breaks before the CA has done anything. */
  dropped: ({ response }) => void response.destroy(),
  /** The CA has done it, and nobody hears of that. */
  'answer lost': async ({ act, response }) => {
    await act()
    response.destroy()
  },
  'cut off': cutOff,
  'internal error': ({ send }) => send(problem('serverInternal', 'Internal server error', { status: 500 })),
  'overloaded, with Retry-After': ({ send }) =>
    send(problem('rateLimited', 'Service busy; retry later.', { status: 503, retryAfter: OVERLOAD_SECONDS })),
  'bad gateway': ({ send }) =>
    send({ status: 502, headers: { 'Content-Type': 'text/html' }, body: '<h1>502 Bad Gateway</h1>' }),
  'rate limited, with Retry-After': ({ send }) =>
    send(problem('rateLimited', 'too many requests', { status: 429, retryAfter: LIMIT_SECONDS })),
  paused: ({ send }) => send(problem(...pausedProblem(['a.test']))),
  'bad nonce for ever': ({ send }) => send(problem('badNonce', 'JWS has an invalid anti-replay nonce')),
  'bad nonce for ever, without a new one': ({ send }) =>
    send(problem('badNonce', 'JWS has an invalid anti-replay nonce', { headers: { 'Replay-Nonce': '' } })),
  'JSON that ends too early': async ({ act, send }) => {
    const { headers, status = 200 } = await act()
    send({ status, headers: { ...headers, 'Content-Type': 'application/json' }, body: '{"status":' })
  },
  'a web page': ({ send }) => send({ headers: { 'Replay-Nonce': '' }, body: '<h1>Please log in to this network</h1>' }),
  'another content type': async ({ act, send }) => {
    const { headers, ...answer } = await act()
    const body = typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body)
    send({ ...answer, headers: { ...headers, 'Content-Type': 'application/octet-stream' }, body })
  },
  oversize: async ({ act, send }) => {
    const { headers } = await act()
    send({ headers: { 'Content-Type': 'application/json', ...headers }, body: ' '.repeat(OVERSIZE_BYTES) })
  },
  /** Nothing is said for ever. */
  hanging: () => {},
} satisfies Record<string, Spoil>

export type FaultName = keyof typeof spoils | 'refused'

export const faultNames = [...Object.keys(spoils), 'refused'] as FaultName[]

/** Which requests go wrong, and how. */
export class Faults {
  #fault: { readonly step: Step | 'every'; readonly name: FaultName; timesLeft: number } | undefined
  /** Those to requests that are not answered. */
  readonly hanging = new Set<http.ServerResponse>()
  /** How often the fault was met. */
  met = 0

  /** From now on, requests of this step go wrong in this way, or all; so many of them, or all until `lift`. */
  set(step: Step | 'every', name: FaultName, times = Number.POSITIVE_INFINITY): void {
    this.#fault = { step, name, timesLeft: times }
    this.met = 0
  }

  lift(): void {
    this.#fault = undefined
  }

  /** The CA is to stop listening after this step, as the next one is to be refused. */
  isLastBeforeRefusal(step: Step): boolean {
    const fault = this.#fault
    return fault?.name === 'refused' && fault.step !== 'every' && PREDECESSORS[fault.step] === step
  }

  /** Spoils an exchange, unless nothing is wrong with its step: then it is to be answered. */
  async spoil(step: Step | undefined, exchange: Exchange): Promise<boolean> {
    const fault = this.#fault
    if (fault === undefined || fault.name === 'refused' || fault.timesLeft === 0) return false
    if (fault.step !== 'every' && fault.step !== step) return false
    fault.timesLeft--
    this.met++
    if (fault.name === 'hanging') this.#hang(exchange.response)
    else await spoils[fault.name](exchange)
    return true
  }

  #hang(response: http.ServerResponse): void {
    this.hanging.add(response)
    response.once('close', () => this.hanging.delete(response))
  }
}

/** What a client asks last before each step, with an account that it has, and no nonce. */
const PREDECESSORS: Partial<Record<Step, Step>> = {
  newNonce: 'directory',
  newAccount: 'newNonce',
  newOrder: 'newNonce',
  authorization: 'newOrder',
  challenge: 'authorization',
  authorizationPoll: 'challenge',
  order: 'authorizationPoll',
  finalize: 'order',
  orderPoll: 'finalize',
  certificate: 'orderPoll',
  alternateChain: 'certificate',
  renewalInfo: 'directory',
}
