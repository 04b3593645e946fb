import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import {
  type Exchange,
  type Fields,
  NO_FIELDS,
  type RequestReceiver,
  type ResponseHead,
  UNKNOWN_LENGTH,
} from '../../../src/edge/exchange/exchange.ts'
import { compress } from '../../../src/edge/middleware/compress.ts'
import { Compressors } from '../../../src/edge/middleware/compressor.ts'
import type { RequestFacts } from '../../../src/edge/middleware/middleware.ts'
import { until } from '../http1/peer.ts'

const SETTINGS = { encodings: ['gzip'], minBytes: 0, types: ['text/*'] } as const

/** The client's side of an exchange, which keeps what it is told. */
class ClientSide implements Exchange {
  readonly client = {} as Exchange['client']
  readonly contentLength = 0
  readonly expectsContinue = false
  readonly request = {
    method: 'GET',
    fields: ['Accept-Encoding', 'gzip'],
    upgrade: undefined,
  } as unknown as Exchange['request']
  receiver: RequestReceiver | undefined
  head: ResponseHead | undefined
  readonly pieces: Buffer[] = []
  takes = true
  ended: 'no' | 'whole' | 'broken' = 'no'

  receive(receiver: RequestReceiver): void {
    this.receiver = receiver
  }
  resume(): void {}
  inform(): void {}
  respond(head: ResponseHead): void {
    this.head = head
  }
  write(piece: Buffer): boolean {
    this.pieces.push(piece)
    return this.takes
  }
  end(): void {
    this.ended = 'whole'
  }
  abort(): void {
    this.ended = 'broken'
  }
}

/** What handles the request: its end of the exchange, and what it hears. */
function handled(compressors: Compressors) {
  const client = new ClientSide()
  const heard: string[] = []
  const receiver: RequestReceiver = {
    onContent: () => true,
    onContentEnd: () => {},
    onDrain: () => heard.push('drain'),
    onEnd: ({ result }) => heard.push(result),
  }
  let handler: Exchange | undefined
  compress(
    SETTINGS,
    compressors,
  )((exchange) => {
    handler = exchange
  })(client, {} as RequestFacts)
  handler!.receive(receiver)
  const respond = (fields: Fields = NO_FIELDS): void =>
    handler!.respond({ status: 200, fields: ['Content-Type', 'text/plain', ...fields] }, UNKNOWN_LENGTH)
  return { client, heard, handler: handler!, respond }
}

const encodingOf = ({ head }: ClientSide): string | undefined =>
  head!.fields[head!.fields.indexOf('Content-Encoding') + 1]

test('a client that leaves gives the compressor back at once, also in the midst of a piece', (_: TestContext) => {
  const compressors = new Compressors(10)
  const { client, heard, handler, respond } = handled(compressors)
  respond()
  handler.write(Buffer.alloc(1_000_000, 'abc'))
  assert.equal(compressors.size, 1)
  client.receiver!.onEnd({ result: 'aborted', status: 200, bytes: 0, why: undefined })
  assert.equal(compressors.size, 0)
  assert.deepEqual(heard, ['aborted'])
  // The handler need not know yet.
  handler.write(Buffer.from('more'))
  handler.end()
  assert.equal(client.ended, 'whole')
})

test('a response that is broken off gives the compressor back, and nothing more comes of it', async () => {
  const compressors = new Compressors(10)
  const { client, handler, respond } = handled(compressors)
  respond()
  handler.write(Buffer.alloc(1_000_000, 'abc'))
  handler.abort()
  assert.deepEqual([client.ended, compressors.size], ['broken', 0])
  await new Promise((resolve) => setTimeout(resolve, 50))
  assert.deepEqual([client.ended, client.pieces.length], ['broken', 0])
})

test('with as many compressors as there may be, the next response is sent as it is', async () => {
  const compressors = new Compressors(1)
  const first = handled(compressors)
  const second = handled(compressors)
  first.respond()
  second.respond()
  assert.equal(encodingOf(first.client), 'gzip')
  assert.ok(!second.client.head!.fields.includes('Content-Encoding'))
  assert.ok(second.client.head!.fields.includes('Vary'))
  second.handler.write(Buffer.from('as it is'))
  second.handler.end()
  assert.equal(Buffer.concat(second.client.pieces).toString(), 'as it is')
  first.handler.write(Buffer.from('first'))
  first.handler.end()
  await until(() => first.client.ended === 'whole')
  assert.equal(gunzipSync(Buffer.concat(first.client.pieces)).toString(), 'first')
  const third = handled(compressors)
  third.respond()
  assert.equal(encodingOf(third.client), 'gzip')
  third.handler.abort()
  assert.equal(compressors.size, 0)
})

test('what is written is given out without an end, and a client that takes no more is not sent more', async () => {
  const { client, heard, handler, respond } = handled(new Compressors(1))
  respond()
  client.takes = false
  handler.write(Buffer.from('event'))
  await until(() => client.pieces.length > 0)
  const random = Buffer.from(Array.from({ length: 200_000 }, (_, at) => (at * 7919) % 251))
  let isTaken = true
  for (let index = 0; index < 100 && isTaken; index++) isTaken = handler.write(random)
  assert.equal(isTaken, false)
  await new Promise((resolve) => setTimeout(resolve, 50))
  const held = client.pieces.length
  assert.ok(held <= 2, `${held} pieces`)
  client.takes = true
  client.receiver!.onDrain()
  await until(() => heard.includes('drain'))
  handler.end()
  await until(() => client.ended === 'whole')
})

test('an answer that is no text goes through with its drains', () => {
  const { client, heard, handler } = handled(new Compressors(1))
  handler.respond({ status: 200, fields: ['Content-Type', 'image/png'] }, 3)
  handler.write(Buffer.from('png'))
  client.receiver!.onDrain()
  handler.end()
  assert.deepEqual([client.ended, heard, client.pieces.length], ['whole', ['drain'], 1])
})
