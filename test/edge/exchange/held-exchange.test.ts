import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Exchange, Outcome, RequestReceiver } from '../../../src/edge/exchange/exchange.ts'
import { HeldExchange } from '../../../src/edge/exchange/held-exchange.ts'

const GONE: Outcome = { result: 'aborted', status: 0, bytes: 0, why: 'socket-closed' }

/** A codec, and what is asked of it. */
function scene() {
  const asked: string[] = []
  const codec: { receiver?: RequestReceiver } = {}
  const inner = {
    receive: (receiver: RequestReceiver) => {
      codec.receiver = receiver
    },
    resume: () => asked.push('resume'),
    abort: () => {
      asked.push('abort')
      codec.receiver!.onEnd(GONE)
    },
  } as unknown as Exchange
  const gone: Outcome[] = []
  const held = new HeldExchange(inner, (outcome) => gone.push(outcome))
  return { held, client: codec.receiver!, asked, gone }
}

function tracing(takes: (piece: string) => boolean = () => true) {
  const trace: string[] = []
  const receiver: RequestReceiver = {
    onContent: (piece) => {
      trace.push(String(piece))
      return takes(String(piece))
    },
    onContentEnd: (trailers) => trace.push(`end ${trailers.join()}`),
    onDrain: () => trace.push('drain'),
    onEnd: ({ result }) => trace.push(result),
  }
  return { trace, receiver }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

test('content that came while it was held comes first, and then the client goes on', async () => {
  const { held, client, asked } = scene()
  assert.equal(client.onContent(Buffer.from('a')), false)
  const { trace, receiver } = tracing()
  held.receive(receiver)
  assert.deepEqual([trace, asked], [[], []])
  await turn()
  assert.deepEqual([trace, asked], [['a'], ['resume']])
  assert.equal(client.onContent(Buffer.from('b')), true)
  client.onContentEnd(['T', '1'])
  client.onEnd({ ...GONE, result: 'complete' })
  assert.deepEqual(trace, ['a', 'b', 'end T,1', 'complete'])
})

test('content that was whole already is whole, and nobody is asked to go on', async () => {
  const { held, client, asked } = scene()
  client.onContent(Buffer.from('a'))
  client.onContentEnd([])
  const { trace, receiver } = tracing()
  held.receive(receiver)
  await turn()
  assert.deepEqual([trace, asked], [['a', 'end '], []])
})

test('a receiver that has enough is asked before the client goes on', async () => {
  const { held, client, asked } = scene()
  client.onContent(Buffer.from('a'))
  held.receive(tracing(() => false).receiver)
  held.resume()
  await turn()
  assert.deepEqual(asked, [])
  held.resume()
  assert.deepEqual(asked, ['resume'])
})

test('who holds it is told once that the client has gone, and who receives it later too', async () => {
  const { held, client, gone } = scene()
  client.onContent(Buffer.from('a'))
  client.onEnd(GONE)
  assert.deepEqual(gone, [GONE])
  const { trace, receiver } = tracing()
  held.receive(receiver)
  await turn()
  assert.deepEqual([trace, gone.length], [['aborted'], 1])
})

test('a client that goes between being received and let go is told of once', async () => {
  const { held, client, gone } = scene()
  const { trace, receiver } = tracing()
  held.receive(receiver)
  client.onEnd(GONE)
  await turn()
  assert.deepEqual([trace, gone], [['aborted'], []])
})

test('nothing follows the last event, where the receiver ends it at the first piece', async () => {
  const { held, client } = scene()
  client.onContent(Buffer.from('a'))
  client.onContent(Buffer.from('b'))
  client.onContentEnd([])
  const { trace, receiver } = tracing()
  held.receive({
    ...receiver,
    onContent: (piece) => {
      held.abort()
      return receiver.onContent(piece)
    },
  })
  await turn()
  assert.deepEqual(trace, ['aborted', 'a'])
})
