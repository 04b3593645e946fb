import assert from 'node:assert/strict'
import type { ServerHttp2Stream } from 'node:http2'
import { type TestContext, test } from 'node:test'
import { UNKNOWN_LENGTH } from '../../../src/edge/exchange/exchange.ts'
import { SERVER_LIMITS } from '../../../src/edge/http2/limits.ts'
import type { Http2UpstreamConnection, UpstreamRequest } from '../../../src/edge/http2/upstream-connection.ts'
import { serveHello } from './client-script.ts'
import { connectUpstream, startNode, startServer } from './live.ts'

// Our client's role with node:http2 (nghttp2), and with our own server's role, as the upstream.

const GET: UpstreamRequest = {
  method: 'GET',
  scheme: 'http',
  authority: 'up.test',
  target: '/',
  fields: [],
  contentLength: 0,
  upgrade: undefined,
  takesTrailers: false,
}

type Answer = { status: number; fields: readonly string[]; content: Buffer; trailers: readonly string[]; end: string }

/** Sends a request with this content and gathers the answer. */
function ask(
  connection: Http2UpstreamConnection,
  request: Partial<UpstreamRequest>,
  content?: Buffer,
  trailers?: readonly string[],
): Promise<Answer> {
  return new Promise((resolve) => {
    const answer: Answer = { status: 0, fields: [], content: Buffer.alloc(0), trailers: [], end: '' }
    const pieces: Buffer[] = []
    const settle = (end: string): void => resolve({ ...answer, content: Buffer.concat(pieces), end })
    const exchange = connection.request(
      { ...GET, ...request },
      {
        onInform: () => {},
        onResponse: ({ status, fields }) => Object.assign(answer, { status, fields }),
        onContent: (piece) => {
          pieces.push(piece)
          return true
        },
        onContentEnd: (received) => {
          answer.trailers = received
          settle('complete')
        },
        onDrain: () => pump(),
        onFailure: ({ code, isUnprocessed }) => settle(`${code} ${isUnprocessed}`),
      },
    )
    let sent = 0
    const pump = (): void => {
      while (content !== undefined && sent < content.length) {
        const piece = content.subarray(sent, sent + 20_000)
        sent += piece.length
        if (!exchange.write(piece)) return
      }
      exchange.end(trailers)
    }
    pump()
  })
}

test('requests without content, many at a time, within the limit of the upstream', async (t: TestContext) => {
  let most = 0
  let now = 0
  const node = await startNode(
    t,
    (stream, headers) => {
      most = Math.max(most, ++now)
      setImmediate(() => {
        now--
        stream.respond({ ':status': 200, 'x-path': String(headers[':path']), 'x-te': String(headers.te) })
        stream.end('hello')
      })
    },
    { maxConcurrentStreams: 10 },
  )
  const connection = await connectUpstream(t, node)
  await ask(connection, {})
  const answers = await Promise.all(
    Array.from({ length: 200 }, (_, at) => ask(connection, { target: `/${at}`, takesTrailers: true })),
  )
  for (const [at, { status, fields, content }] of answers.entries()) {
    assert.equal(status, 200)
    assert.deepEqual(fields.slice(0, 4), ['x-path', `/${at}`, 'x-te', 'trailers'])
    assert.equal(content.toString(), 'hello')
  }
  assert.ok(most <= 10, `${most}`)
})

test('content goes both ways through all windows, and so do trailers', async (t) => {
  const node = await startNode(t, (stream) => {
    stream.respond({ ':status': 200 }, { waitForTrailers: true })
    stream.on('trailers', (trailers) => {
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0', 'x-back': String(trailers['x-sum']) }))
    })
    stream.pipe(stream)
  })
  const connection = await connectUpstream(t, node)
  const content = Buffer.alloc(3_000_000, 'every octet in its place. ')
  const request = { method: 'POST', contentLength: UNKNOWN_LENGTH }
  const answers = await Promise.all(Array.from({ length: 5 }, () => ask(connection, request, content, ['x-sum', '7'])))
  for (const answer of answers) {
    assert.ok(answer.content.equals(content))
    assert.deepEqual(answer.trailers, ['grpc-status', '0', 'x-back', '7'])
  }
})

test('large field sections, both ways', async (t) => {
  const value = 'v'.repeat(30_000)
  const node = await startNode(t, (stream, headers) => {
    stream.respond({ ':status': 200, 'x-back': String(headers['x-large']) }, { endStream: true })
  })
  const connection = await connectUpstream(t, node)
  const answer = await ask(connection, { fields: ['X-Large', value] })
  assert.equal(answer.fields[1], value)
})

test('what the upstream resets, refuses and leaves', async (t) => {
  const streams: ServerHttp2Stream[] = []
  const node = await startNode(t, (stream, headers) => {
    const code = Number(String(headers[':path']).slice(1))
    if (code > 0) stream.close(code)
    else streams.push(stream)
  })
  const connection = await connectUpstream(t, node)
  assert.equal((await ask(connection, { target: '/7' })).end, 'stream-refused true')
  assert.equal((await ask(connection, { target: '/2' })).end, 'stream-reset false')
  const last = ask(connection, { target: '/0' })
  while (streams.length === 0) await new Promise((resolve) => setImmediate(resolve))
  streams[0]!.session!.close()
  while (connection.isUsable) await new Promise((resolve) => setImmediate(resolve))
  assert.equal((await ask(connection, {})).end, 'upstream-going-away true')
  streams[0]!.respond({ ':status': 200 })
  streams[0]!.end('done')
  assert.equal((await last).content.toString(), 'done')
})

test('an upstream that dies', async (t) => {
  const node = await startNode(t, (stream) => {
    stream.respond({ ':status': 200 })
    stream.write('x', () => stream.session!.destroy())
  })
  const connection = await connectUpstream(t, node)
  assert.match((await ask(connection, {})).end, /^(upstream-closed|stream-reset) false$/)
  assert.equal(connection.isUsable, false)
})

test('both of our roles understand each other', async (t) => {
  const connection = await connectUpstream(t, await startServer(t, serveHello))
  const answers = await Promise.all(Array.from({ length: 1000 }, () => ask(connection, {})))
  for (const { status, content } of answers) {
    assert.equal(status, 200)
    assert.equal(content.toString(), 'Hello World!')
  }
})

test('connections that are drained again and again lose no request, and serve none twice (§6.8, §8.7)', async (t) => {
  const served = new Map<string, number>()
  const limits = { ...SERVER_LIMITS, maxRequests: 20 }
  const server = await startServer(
    t,
    (one) => {
      const { target } = one.exchange.request
      served.set(target, (served.get(target) ?? 0) + 1)
      setImmediate(() => serveHello(one))
    },
    limits,
  )
  let connection = await connectUpstream(t, server)
  let connections = 1
  const askUntilServed = async (target: string): Promise<void> => {
    for (;;) {
      const { end } = await ask(connection, { target })
      if (end === 'complete') return
      assert.match(end, / true$/, `${target} may have been processed`)
      if (connection.isUsable) continue
      connections++
      connection = await connectUpstream(t, server)
    }
  }
  const clients = Array.from({ length: 20 }, async (_, client) => {
    for (let at = 0; at < 50; at++) await askUntilServed(`/${client}/${at}`)
  })
  await Promise.all(clients)
  assert.equal(served.size, 1000)
  assert.deepEqual(
    [...served.values()].filter((times) => times !== 1),
    [],
  )
  assert.ok(connections >= 10, `${connections}`)
})
