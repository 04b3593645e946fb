import assert from 'node:assert/strict'
import { METHODS } from 'node:http'
import { UNKNOWN_LENGTH } from '../../../src/edge/exchange/exchange.ts'
import { connectFrames, type FrameClient } from '../adversary/frame-client.ts'
import { type RunningEdge, runEdge, type Scope } from '../adversary/running-edge.ts'
import { Witness } from '../adversary/witness.ts'
import { ClientScript } from '../http2/client-script.ts'
import { data, EH, ES, headers, literals, PREFACE, settings, settingsAck } from '../http2/frames.ts'
import { dice, pick } from '../http2/hpack/dice.ts'
import { siteOf } from '../serve.ts'
import { testimonyOf } from './forwarding.ts'
import type { Dice } from './messages.ts'
import { Failure } from './segmentation.ts'

const NAMES = [
  ...['x', 'x-two', 'cookie', 'cookie', 'te', 'expect', 'accept', 'x-forwarded-for', 'x_forwarded_for', 'forwarded'],
  ...['__proto__', 'date', 'trailer', 'x!#$%&*+.^_`|~', 'content-length', 'host', 'via', 'priority'],
]
const BAD_NAMES = ['X', 'x y', 'x:', '', 'x\r\ny', 'x\0', '\xe9', 'connection', 'transfer-encoding', 'upgrade', ':x']
const VALUES = ['1', '', 'a, b', '"', '\xe9\xff', 'a\tb', ';', 'trailers', '100-continue', '0', '5', 'a.test']
const BAD_VALUES = ['a\r\nb: c', 'a\nb', 'a\rb', '\0', ' a', 'a\t', '\x7f', 'a\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n']
const PATHS = [
  '/',
  '/',
  '/a?b',
  '//x',
  '/%2e%2e/',
  '/|^`{}"<>\\',
  '*',
  '',
  'x',
  '/#',
  '/ x',
  '/\r\nx',
  '/\xe9',
  'http://a.test/',
]
const AUTHORITIES = ['a.test', 'a.test', 'a.test', 'A.TEST.:443', 'b.test', 'a@b', '', 'a.test\r\nx: y', 'a.test/']
const TOKENS = ['GET', 'POST', 'PUT', 'HEAD', 'OPTIONS', 'G T', '', 'GET / HTTP/1.1\r\nx:']

/** A field section and what follows it, as frames of a stream. */
type Message = {
  readonly fields: string[]
  readonly content: string | undefined
  readonly trailers: string[] | undefined
}

function regular(random: Dice): string[] {
  const name = random() < 0.97 ? pick(random, NAMES) : pick(random, BAD_NAMES)
  return [name, random() < 0.97 ? pick(random, VALUES) : pick(random, BAD_VALUES)]
}

function anyMessage(random: Dice): Message {
  const usual = <T>(values: readonly T[]): T => (random() < 0.9 ? values[0]! : pick(random, values))
  const pseudo = [
    [':method', random() < 0.5 ? 'POST' : usual(TOKENS)],
    [':scheme', usual(['https', 'http', 'ftp', ''])],
    [':path', random() < 0.5 ? usual(PATHS) : pick(random, PATHS.slice(0, 6))],
    [':authority', usual(AUTHORITIES)],
  ].filter(() => random() < 0.99)
  const lines = Array.from({ length: Math.floor(random() * 6) }, () => regular(random))
  const content = random() < 0.5 ? 'content'.repeat(Math.floor(random() ** 3 * 2000)) : undefined
  if (content !== undefined && random() < 0.5) lines.push(['content-length', String(content.length)])
  const trailers = content !== undefined && random() < 0.3 ? [regular(random), regular(random)].flat() : undefined
  const all = random() < 0.98 ? [...pseudo, ...lines] : [...lines, ...pseudo]
  return { fields: all.flat(), content, trailers }
}

function framesOf({ fields, content, trailers }: Message, streamId: number): Buffer[] {
  if (content === undefined) return [headers(streamId, literals(...fields), EH | ES)]
  const frames = [headers(streamId, literals(...fields))]
  for (let at = 0; at < content.length; at += 5000) frames.push(data(streamId, content.slice(at, at + 5000)))
  frames.push(trailers === undefined ? data(streamId, '', ES) : headers(streamId, literals(...trailers), EH | ES))
  return frames
}

/** Resets are charged for, and a connection has only so many. */
const REQUESTS_PER_CONNECTION = 100

/** As ForwardingFuzz, with a client of HTTP/2: what it can say and HTTP/1.1 cannot must not reach the other parser. */
export class Http2ForwardingFuzz {
  readonly #edge: RunningEdge
  readonly #witness: Witness
  readonly #scope: Scope
  #client: FrameClient | undefined
  #streamId = 1

  private constructor(edge: RunningEdge, witness: Witness, scope: Scope) {
    this.#edge = edge
    this.#witness = witness
    this.#scope = scope
  }

  static async start(scope: Scope): Promise<Http2ForwardingFuzz> {
    const witness = await new Witness().listen(scope)
    return new Http2ForwardingFuzz(await runEdge(scope, [siteOf(witness.address)]), witness, scope)
  }

  /** A case by its number: the same for the same seed. */
  async fuzz(seed: number): Promise<boolean> {
    const message = anyMessage(dice(seed))
    return this.assertForwarded(message).catch((cause) => {
      throw new Failure('forwarded from HTTP/2', JSON.stringify(message), seed, cause)
    })
  }

  async assertForwarded(message: Message): Promise<boolean> {
    const client = new ClientScript()
    await client.send(PREFACE, settings(), settingsAck, ...framesOf(message, 1))
    const [served] = client.served
    const ended = served?.events.find((event) => event.startsWith('content-end'))
    const request = served?.exchange.request
    if (request !== undefined && !METHODS.includes(request.method)) return false
    const answer = await this.#say(message)
    const isOurs = /^(a\.test)\.?(:\d*)?$/i.test(request?.authority ?? '')
    const seen = this.#witness.testimony()
    if (served === undefined || !isOurs) {
      assert.deepEqual(seen, [], answer)
      return true
    }
    const { exchange, content, outcome } = served
    const isWhole = ended !== undefined && outcome === undefined
    const trailers = exchange.contentLength === UNKNOWN_LENGTH ? (ended?.split(' ').slice(1) ?? []) : []
    const expected = testimonyOf({ head: exchange.request, contentLength: exchange.contentLength, content }, 'https')
    // Where the length was announced, all of it may be with the upstream before the fault is seen, which comes after it.
    if (!isWhole && (exchange.contentLength !== content.length || seen.length === 0)) {
      assert.deepEqual(seen, [], answer)
      return true
    }
    // Values of trailers may be empty or have spaces in them, so that only their text is compared.
    assert.deepEqual(
      seen.map((one) => ({ ...one, trailers: one.trailers.join(' ') })),
      [{ ...expected, trailers: trailers.join(' ') }],
    )
    if (!isWhole) return true
    assert.match(answer, /:status=200/)
    return true
  }

  /** Gives the line of the answer. */
  async #say(message: Message): Promise<string> {
    if (this.#streamId > 2 * REQUESTS_PER_CONNECTION) {
      this.#client?.close()
      this.#client = undefined
    }
    if (this.#client === undefined) this.#streamId = 1
    this.#client ??= await connectFrames(this.#scope, this.#edge)
    const client = this.#client
    const streamId = this.#streamId
    this.#streamId += 2
    client.say(...framesOf(message, streamId))
    for (;;) {
      const line = await client.hearAny([`HEADERS ${streamId} `, `RST_STREAM ${streamId} `, 'GOAWAY'])
      if (line.startsWith('GOAWAY')) this.#client = undefined
      if (!line.includes(':status=100')) return line
    }
  }
}
