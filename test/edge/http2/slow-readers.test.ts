import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Exchange } from '../../../src/edge/exchange/exchange.ts'
import type { Http2UpstreamConnection } from '../../../src/edge/http2/upstream-connection.ts'
import { connectedClient, type Served } from './client-script.ts'
import { data, EH, get, headers, literals, windowUpdate } from './frames.ts'
import { connectedUpstream } from './upstream-script.ts'

// Clients that read slowly, or not at all, while the upstream sends as much as it may: what we hold for each is
// bounded.

const CLIENTS = 1000
const MAX_HELD_BYTES = 256 * 1024
const INITIAL_WINDOW = 4

/** Passes an exchange on, as a proxy does. */
function forward(exchange: Exchange, upstream: Http2UpstreamConnection): void {
  const { request } = exchange
  const { method, scheme, authority, target, fields } = request
  const asked = upstream.request(
    { method, scheme, authority, target, fields, contentLength: 0, upgrade: undefined, takesTrailers: false },
    {
      onInform: (head) => exchange.inform(head),
      onResponse: (head, contentLength) => exchange.respond(head, contentLength),
      onContent: (piece) => exchange.write(piece),
      onContentEnd: (trailers) => exchange.end(trailers),
      onDrain: () => {},
      onFailure: () => exchange.abort(),
    },
  )
  exchange.receive({
    onContent: (piece) => asked.write(piece),
    onContentEnd: (trailers) => asked.end(trailers),
    onDrain: () => asked.resume(),
    onEnd: ({ result }) => {
      if (result === 'aborted') asked.abort()
    },
  })
}

test('a thousand slow clients hold less than 256 KiB each', async () => {
  const upstream = await connectedUpstream({}, [3, CLIENTS])
  const serve = ({ exchange }: Served): void => forward(exchange, upstream.connection)
  const client = await connectedClient({ serve, limits: { maxConcurrentStreams: CLIENTS } }, [INITIAL_WINDOW, 1000])
  const ids = Array.from({ length: CLIENTS }, (_, at) => 1 + 2 * at)
  for (const streamId of ids) client.socket.feed(get(streamId))
  await client.read()
  await upstream.read()
  // What each upstream stream may still send; every tenth client reads a little, so that its windows could grow.
  const open = new Map(ids.map((streamId) => [streamId, 65_535]))
  const sent = new Map(ids.map((streamId) => [streamId, 0]))
  for (const streamId of ids) upstream.socket.feed(headers(streamId, literals(':status', '200'), EH))
  for (let turns = 0; turns < 20; turns++) {
    for (const [streamId, bytes] of open) {
      for (let left = bytes; left > 0; left -= 16_384)
        upstream.socket.feed(data(streamId, Buffer.alloc(Math.min(left, 16_384))))
      sent.set(streamId, sent.get(streamId)! + bytes)
    }
    open.clear()
    for (const line of await upstream.read({ windows: true })) {
      const [, streamId, bytes] = line.split(' ').map(Number)
      if (streamId !== 0) open.set(streamId!, bytes!)
    }
    for (const streamId of ids) if (streamId % 20 === 1) client.socket.feed(windowUpdate(streamId, 100_000))
    client.socket.feed(windowUpdate(0, 20_000_000))
    await client.read()
  }
  assert.equal(client.socket.writableEnded, false)
  const held = ids.map((streamId) => sent.get(streamId)! - client.trace.contentOf(streamId).length)
  assert.ok(Math.max(...held) < MAX_HELD_BYTES, `${Math.max(...held)}`)
  // Those that read have got more than any window holds.
  assert.ok(sent.get(1)! > 5 * MAX_HELD_BYTES, `${sent.get(1)}`)
})
