import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { RequestListener, ServerResponse } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import { connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import { brotliDecompressSync, createGunzip, gunzipSync, zstdDecompressSync } from 'node:zlib'
import type { CompressPolicy } from '../../../src/policy.ts'
import { ask, PROTOCOLS, type Told } from '../ask.ts'
import { Peer } from '../http1/peer.ts'
import { plainPolicy, type Served, serve, siteOf, startUpstream } from '../serve.ts'

const SETTINGS: CompressPolicy = {
  encodings: ['zstd', 'br', 'gzip'],
  minBytes: 1024,
  types: ['text/*', 'application/json', 'application/*+json'],
}
const TEXT = Buffer.from('It was the best of times, it was the worst of times. '.repeat(500))

const DECODERS = { zstd: zstdDecompressSync, br: brotliDecompressSync, gzip: gunzipSync }

async function scene(
  t: TestContext,
  listener: RequestListener,
  protocol: (typeof PROTOCOLS)[number] = 'http/1.1',
): Promise<Served> {
  const app = await startUpstream(listener)
  const proxy = await serve([siteOf(app.address, { policy: { ...plainPolicy, compress: SETTINGS } })], { protocol })
  t.after(() => Promise.all([proxy.close(), app.close()]))
  return proxy
}

/** Answers with these fields, and the text whole or in two pieces of unknown length. */
function saying(fields: Readonly<Record<string, string | string[]>>, status = 200, content = TEXT): RequestListener {
  return (request, response) => {
    response.writeHead(status, { 'Content-Type': 'text/html; charset=utf-8', ...fields })
    if (request.url === '/chunked') response.write(content.subarray(0, 100))
    response.end(request.url === '/chunked' ? content.subarray(100) : content)
  }
}

const ACCEPT = ['Accept-Encoding', 'gzip, deflate, br, zstd']

function isPlain({ fields, content }: Told, expected = TEXT): void {
  assert.equal(fields['content-encoding'], undefined)
  assert.deepEqual(content, expected)
}

for (const protocol of PROTOCOLS) {
  for (const coding of ['zstd', 'br', 'gzip'] as const)
    test(`${protocol}: a page is compressed by ${coding} where the client takes that, whether its length is known or not`, async (t) => {
      const length = { 'Content-Length': String(TEXT.length) }
      const proxy = await scene(
        t,
        (request, response) => {
          saying({ ...(request.url === '/' && length), 'Accept-Ranges': 'bytes', ETag: '"x"' })(request, response)
        },
        protocol,
      )
      for (const path of ['/', '/chunked']) {
        const { fields, content } = await ask(proxy.port, protocol, { path, fields: ['accept-ENCODING', coding] })
        assert.equal(fields['content-encoding'], coding)
        assert.deepEqual(DECODERS[coding](content), TEXT)
        assert.ok(content.length < TEXT.length / 10)
        assert.deepEqual([fields.vary, fields.etag], ['Accept-Encoding', 'W/"x"'])
        assert.deepEqual([fields['content-length'], fields['accept-ranges']], [undefined, undefined])
      }
    })

  test(`${protocol}: HEAD has the fields that GET has`, async (t) => {
    const proxy = await scene(t, saying({ 'Content-Length': String(TEXT.length), ETag: '"x"' }), protocol)
    const [get, head] = [
      await ask(proxy.port, protocol, { fields: ACCEPT }),
      await ask(proxy.port, protocol, { method: 'HEAD', fields: ACCEPT }),
    ]
    assert.equal(head.content.length, 0)
    for (const name of ['content-encoding', 'vary', 'etag', 'content-length', 'content-type'])
      assert.equal(head.fields[name], get.fields[name], name)
  })

  test(`${protocol}: trailers stand behind what is compressed`, async (t) => {
    const proxy = await scene(
      t,
      (_, response) => {
        response.writeHead(200, { 'Content-Type': 'text/plain', Trailer: 'X-Sum' })
        response.write(TEXT)
        response.addTrailers({ 'X-Sum': '1' })
        response.end()
      },
      protocol,
    )
    if (protocol === 'h2') {
      const session = connectHttp2(`http://127.0.0.1:${proxy.port}`)
      t.after(() => session.destroy())
      const stream = session.request({ ':authority': 'a.test', 'accept-encoding': 'gzip', te: 'trailers' })
      stream.resume()
      const [trailers] = await once(stream, 'trailers')
      assert.equal(trailers['x-sum'], '1')
      return
    }
    const peer = await client(t, proxy)
    peer.say('GET / HTTP/1.1\r\nHost: a.test\r\nTE: trailers\r\nConnection: TE\r\nAccept-Encoding: gzip\r\n\r\n')
    await peer.hear('Content-Encoding: gzip\r\n')
    await peer.hear('0\r\nX-Sum: 1\r\n\r\n')
  })

  test(`${protocol}: an app that breaks off makes a response that breaks off, and never a whole one`, async (t) => {
    const proxy = await scene(
      t,
      (_, response) => {
        response.writeHead(200, { 'Content-Type': 'text/plain' })
        response.write(TEXT, () => response.destroy())
      },
      protocol,
    )
    if (protocol === 'h2') {
      const session = connectHttp2(`http://127.0.0.1:${proxy.port}`)
      t.after(() => session.destroy())
      const stream = session.request({ ':authority': 'a.test', 'accept-encoding': 'gzip' })
      stream.resume()
      const [error] = await once(stream, 'error')
      assert.match(String(error), /INTERNAL_ERROR/)
      return
    }
    await assert.rejects(ask(proxy.port, protocol, { fields: ACCEPT }), /broke off/)
    assert.equal(proxy.accesses[0]?.why, 'upstream-broken')
  })
}

async function client(t: TestContext, { port }: Pick<Served, 'port'>): Promise<Peer> {
  const socket = connect(port, '127.0.0.1')
  t.after(() => socket.destroy())
  await once(socket, 'connect')
  return new Peer(socket)
}

for (const [what, listener] of [
  ['is compressed already', saying({ 'Content-Encoding': 'br' })],
  ['is a picture', saying({ 'Content-Type': 'image/png' })],
  ['is of no known type', (_request, response) => response.end(TEXT)],
  ['is tiny', saying({ 'Content-Length': '1023' }, 200, TEXT.subarray(0, 1023))],
  ['is not to be transformed', saying({ 'Cache-Control': 'public, No-Transform' })],
  ['has a digest', saying({ 'Repr-Digest': 'sha-256=:AA==:' })],
  ['is a part', saying({ 'Content-Range': `bytes 0-${TEXT.length - 1}/${TEXT.length}` }, 206)],
  ['is gRPC', saying({ 'Content-Type': 'application/grpc+json' })],
] as [string, RequestListener][])
  test(`what ${what} is passed on as it is, and does not vary`, async (t) => {
    const proxy = await scene(t, listener)
    const told = await ask(proxy.port, 'http/1.1', { fields: ACCEPT })
    assert.ok(told.fields['content-encoding'] === undefined || told.fields['content-encoding'] === 'br')
    assert.ok(TEXT.subarray(0, told.content.length).equals(told.content) && told.content.length >= 1023)
    assert.equal(told.fields.vary, undefined)
  })

test('for who does not take it a page stays as it is, but varies; and so for who asks for a range', async (t) => {
  const proxy = await scene(t, saying({ 'Content-Length': String(TEXT.length), ETag: '"x"', 'Accept-Ranges': 'bytes' }))
  for (const fields of [[], ['Accept-Encoding', 'identity'], [...ACCEPT, 'Range', 'bytes=0-']]) {
    const told = await ask(proxy.port, 'http/1.1', { fields })
    isPlain(told)
    assert.deepEqual(
      [told.fields.vary, told.fields.etag, told.fields['accept-ranges']],
      ['Accept-Encoding', '"x"', 'bytes'],
    )
    assert.equal(told.fields['content-length'], String(TEXT.length))
  }
})

test('Vary is merged with what the app says', async (t) => {
  for (const [own, merged] of [
    ['Cookie', 'Cookie, Accept-Encoding'],
    ['', 'Accept-Encoding'],
    ['Cookie, ACCEPT-encoding', 'Cookie, ACCEPT-encoding'],
    ['*', '*'],
    [['Cookie', 'Origin'], 'Cookie, Origin, Accept-Encoding'],
  ] as const) {
    const proxy = await scene(t, saying({ Vary: own as string | string[] }))
    assert.equal((await ask(proxy.port, 'http/1.1', { fields: ACCEPT })).fields.vary, merged)
  }
})

test('a weak tag stays what it is; 204, 304 and errors are what they are', async (t) => {
  const proxy = await scene(t, (request, response) => {
    if (request.url === '/weak') return saying({ ETag: 'W/"w"' })(request, response)
    if (request.url === '/500') return saying({}, 500)(request, response)
    response.writeHead(request.headers['if-none-match'] === undefined ? 204 : 304, {
      ETag: '"x"',
      'Content-Type': 'text/html',
    })
    response.end()
  })
  assert.equal((await ask(proxy.port, 'http/1.1', { path: '/weak', fields: ACCEPT })).fields.etag, 'W/"w"')
  assert.equal((await ask(proxy.port, 'http/1.1', { path: '/500', fields: ACCEPT })).fields['content-encoding'], 'zstd')
  const none = await ask(proxy.port, 'http/1.1', { fields: ACCEPT })
  assert.deepEqual([none.status, none.fields['content-encoding'], none.fields.etag], [204, undefined, '"x"'])
  for (const [asked, told, vary] of [
    ['W/"x"', 'W/"x"', 'Accept-Encoding'],
    ['"a", W/"x"', 'W/"x"', 'Accept-Encoding'],
    ['"x"', '"x"', undefined],
    ['*', '"x"', undefined],
  ] as const) {
    const same = await ask(proxy.port, 'http/1.1', { fields: [...ACCEPT, 'If-None-Match', asked] })
    assert.deepEqual([same.status, same.fields.etag, same.fields.vary], [304, told, vary])
    assert.equal(same.fields['content-encoding'], undefined)
  }
})

for (const [coding, accept] of [
  ['gzip', 'gzip'],
  ['br', 'br'],
  ['zstd', 'zstd'],
] as const)
  test(`each event of a stream is with the client before the next is made (${coding})`, async (t) => {
    const responses: ServerResponse[] = []
    const proxy = await scene(
      t,
      (_, response) => {
        responses.push(response)
        response.writeHead(200, { 'Content-Type': 'text/event-stream' })
        response.write('data: 0\n\n')
      },
      'h2',
    )
    const session = connectHttp2(`http://127.0.0.1:${proxy.port}`)
    t.after(() => session.destroy())
    const stream = session.request({ ':authority': 'a.test', 'accept-encoding': accept })
    const { createBrotliDecompress, createZstdDecompress } = await import('node:zlib')
    const decoder = { gzip: createGunzip, br: createBrotliDecompress, zstd: createZstdDecompress }[coding]()
    stream.pipe(decoder)
    let heard = ''
    decoder.on('data', (piece: Buffer) => {
      heard += piece
    })
    for (let event = 0; event < 5; event++) {
      while (!heard.includes(`data: ${event}\n\n`)) await once(decoder, 'data')
      responses[0]!.write(`data: ${event + 1}\n\n`)
    }
    responses[0]!.end()
    await once(decoder, 'end')
    assert.match(heard, /data: 5\n\n$/)
  })

test('a reader that stops makes the app stop, for all that it could go on for ever', async (t) => {
  // Longer than the window of any compressor, so that it stays large.
  const text = Buffer.from(randomBytes(1024 * 1024).toString('base64'))
  const pieces = Array.from({ length: 16 }, (_, at) => text.subarray(at * 65_536, (at + 1) * 65_536))
  let [taken, next] = [0, 0]
  let isBlocked = false
  const proxy = await scene(t, (_, response) => {
    response.writeHead(200, { 'Content-Type': 'text/plain' })
    const pour = (): void => {
      isBlocked = false
      do taken += 65_536
      while (response.write(pieces[next++ % pieces.length]))
      isBlocked = true
    }
    response.on('drain', pour)
    pour()
  })
  const socket = connect(proxy.port, '127.0.0.1')
  t.after(() => socket.destroy())
  socket.pause()
  socket.write('GET / HTTP/1.1\r\nHost: a.test\r\nAccept-Encoding: br\r\n\r\n')
  for (let stable = 0, last = -1; stable < 20; stable = taken === last && isBlocked ? stable + 1 : 0) {
    last = taken
    await new Promise((resolve) => setTimeout(resolve, 10))
    // What the system holds of both connections, and no more than some reads of our own.
    assert.ok(taken < 64 * 1024 * 1024, `${taken} bytes were taken`)
  }
  const before = taken
  socket.resume()
  while (taken < before + 2 * 1024 * 1024) await new Promise((resolve) => setImmediate(resolve))
})
