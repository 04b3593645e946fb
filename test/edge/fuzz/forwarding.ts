import assert from 'node:assert/strict'
import { METHODS } from 'node:http'
import type { Socket } from 'node:net'
import { UNKNOWN_LENGTH } from '../../../src/edge/exchange/exchange.ts'
import { type RunningEdge, runEdge, type Scope, statusesIn } from '../adversary/running-edge.ts'
import { type Testimony, Witness } from '../adversary/witness.ts'
import { latin1 } from '../http1/bytes.ts'
import { dice } from '../http2/hpack/dice.ts'
import { siteOf } from '../serve.ts'
import { request, segmented, stream } from './messages.ts'
import { type Reading, type ReadRequest, readRequests } from './readings.ts'
import { Failure } from './segmentation.ts'

const PATIENCE_MS = 10_000

/** RFC 9110 §7.6.1, and what else is about the client's own connection or its framing. */
const NOT_PASSED_ON = new Set([
  ...['connection', 'proxy-connection', 'keep-alive', 'te', 'transfer-encoding', 'upgrade', 'http2-settings'],
  ...['content-length', 'host', 'expect'],
])

/** An edge with an independent parser behind it: what it forwards must be to that parser what it was to the edge. */
export class ForwardingFuzz {
  readonly #edge: RunningEdge
  readonly #witness: Witness

  private constructor(edge: RunningEdge, witness: Witness) {
    this.#edge = edge
    this.#witness = witness
  }

  static async start(t: Scope): Promise<ForwardingFuzz> {
    const witness = await new Witness().listen(t)
    return new ForwardingFuzz(await runEdge(t, [siteOf(witness.address)]), witness)
  }

  /** A case by its number: the same for the same seed. False if another parser would not know its method. */
  async fuzz(seed: number): Promise<boolean> {
    const random = dice(seed)
    const bytes = stream(random, request)
    const pieces = segmented(random, latin1(bytes))
    const isHalfClosed = random() < 0.5
    return this.assertForwarded(bytes, pieces.length > 200 ? [latin1(bytes)] : pieces, isHalfClosed).catch((cause) => {
      throw new Failure('forwarded', bytes, seed, cause)
    })
  }

  /** `isHalfClosed`: the client then closes its sending side, and waits for the answers. */
  async assertForwarded(
    bytes: string,
    pieces: readonly Buffer[] = [latin1(bytes)],
    isHalfClosed = false,
  ): Promise<boolean> {
    const reading = untilEarlyAnswer(readRequests([latin1(bytes)]))
    if (reading.messages.some(({ head }) => !METHODS.includes(head.method))) return false
    const expected = reading.messages.filter(isForwardedWhole).map((message) => testimonyOf(message, 'http'))
    const answer = await this.#say(pieces, reading, isHalfClosed)
    assert.deepEqual(this.#witness.testimony(), expected, `answered ${statusesIn(answer)}`)
    const finals = statusesIn(answer).filter((status) => status >= 200)
    const whole = reading.messages.filter(({ trailers }) => trailers !== undefined)
    // Who is refused has one answer more, unless the request that was refused was being answered already.
    const most = whole.length + (reading.end === 'between messages' ? 0 : 1)
    assert.ok(finals.length >= whole.length && finals.length <= most, `${finals} to ${whole.length} requests`)
    assert.ok(!finals.includes(502), `${finals}`)
    return true
  }

  async #say(pieces: readonly Buffer[], reading: Reading<ReadRequest>, isHalfClosed: boolean): Promise<string> {
    const socket = await this.#edge.connect('http')
    const whole = reading.messages.filter(({ trailers }) => trailers !== undefined)
    const isClosed = isHalfClosed || reading.end === 'refused' || reading.end === 'last message read'
    const isEnough = (answer: string): boolean =>
      !isClosed &&
      this.#witness.seen.length >= whole.filter(isForwardedWhole).length &&
      statusesIn(answer).filter((status) => status >= 200).length >= whole.length
    for (const piece of pieces) socket.write(piece)
    if (isHalfClosed) socket.end()
    return untilEnough(socket, isEnough)
  }
}

/** Resolves when the edge has closed, or has said enough. */
function untilEnough(socket: Socket, isEnough: (answer: string) => boolean): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = ''
    const hang = setTimeout(() => reject(new Error(`nothing more comes after ${answer.slice(0, 500)}`)), PATIENCE_MS)
    const end = (): void => {
      clearTimeout(hang)
      socket.destroy()
      resolve(answer)
    }
    const look = (): void => {
      if (isEnough(answer)) end()
    }
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => {
      answer += text
      look()
    })
    socket.on('error', () => {})
    socket.on('end', end)
    socket.on('close', end)
    look()
  })
}

/** Who waits for a 100 and is answered at once, since the site is none of ours, is not read on (RFC 9110 §10.1.1). */
function untilEarlyAnswer(reading: Reading<ReadRequest>): Reading<ReadRequest> {
  const at = reading.messages.findIndex(({ head, expectsContinue }) => expectsContinue && !isOurs(head.authority))
  if (at < 0) return reading
  const { head, contentLength, expectsContinue } = reading.messages[at]!
  const answered = { head, contentLength, expectsContinue, content: '', trailers: [] }
  return { messages: [...reading.messages.slice(0, at), answered], end: 'last message read' }
}

function isOurs(authority: string): boolean {
  return /^a\.test\.?(?::\d*)?$/i.test(authority)
}

function isForwardedWhole({ head, trailers }: ReadRequest): boolean {
  return trailers !== undefined && isOurs(head.authority) && !head.target.startsWith('/.well-known/acme-challenge/')
}

/** RFC 9110 §10.1.1. What expects anything else is refused, but in HTTP/1.0 where nothing is expected. */
function expectsContinue({ version, fields }: ReadRequest['head']): boolean {
  const said = fields.filter((_, at) => at % 2 === 1 && fields[at - 1]!.toLowerCase() === 'expect').join(',')
  return version !== '1.0' && /(^|,)[\t ]*100-continue[\t ]*(,|$)/i.test(said)
}

/** RFC 9110 §10.1.4; HTTP/1.0 has no trailers. */
function readsTrailers({ version, fields }: ReadRequest['head']): boolean {
  const said = fields.filter((_, at) => at % 2 === 1 && fields[at - 1]!.toLowerCase() === 'te').join(',')
  return version !== '1.0' && /(^|,)[\t ]*trailers[\t ]*(,|$)/i.test(said)
}

/** What an application must be told of a request, written down without the code that tells it. */
export function testimonyOf(
  { head, contentLength, content, trailers }: Pick<ReadRequest, 'head' | 'contentLength' | 'content' | 'trailers'>,
  scheme: 'http' | 'https',
): Testimony {
  const nominated = new Set<string>()
  for (const [name, value] of pairs(head.fields))
    if (name.toLowerCase() === 'connection') for (const one of value.split(',')) nominated.add(one.trim().toLowerCase())
  const kept = pairs(head.fields).filter(
    ([name]) => !NOT_PASSED_ON.has(name.toLowerCase()) && !nominated.has(name.toLowerCase()) && !isClaim(name),
  )
  const forwarded = ['X-Forwarded-For', '127.0.0.1', 'X-Forwarded-Proto', scheme, 'X-Forwarded-Host', head.authority]
  const expected = contentLength !== 0 && expectsContinue(head) ? ['Expect', '100-continue'] : []
  const framing = framingOf(head.method, contentLength)
  const connection =
    head.upgrade !== undefined
      ? ['Connection', 'Upgrade', 'Upgrade', head.upgrade]
      : readsTrailers(head)
        ? ['Connection', 'keep-alive, TE', 'TE', 'trailers']
        : ['Connection', 'keep-alive']
  return {
    method: head.method,
    target: head.target,
    fields: ['Host', head.authority, ...kept.flat(), ...expected, ...forwarded, ...framing, ...connection],
    content,
    trailers: pairs(trailers ?? [])
      .filter(([name]) => !nominated.has(name.toLowerCase()))
      .flat(),
  }
}

function framingOf(method: string, contentLength: number): string[] {
  if (contentLength === UNKNOWN_LENGTH) return ['Transfer-Encoding', 'chunked']
  const isTold = contentLength > 0 || ['POST', 'PUT', 'PATCH'].includes(method)
  return isTold ? ['Content-Length', String(contentLength)] : []
}

function isClaim(name: string): boolean {
  return /^(forwarded|x[-_.]real[-_.]ip|x[-_.]forwarded[-_.].*)$/i.test(name)
}

function pairs(fields: readonly string[]): [string, string][] {
  return Array.from({ length: fields.length / 2 }, (_, index) => [fields[index * 2]!, fields[index * 2 + 1]!])
}
