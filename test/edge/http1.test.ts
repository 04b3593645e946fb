import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { connect, createServer } from 'node:net'
import { test } from 'node:test'
import { exchangeBytes, FIRST_REQUEST_ID, serve, siteOf, startUpstream } from './serve.ts'

const CLOSE = 'Host: a.test\r\nConnection: close\r\n\r\n'

test('a request is forwarded as it is, but for what concerns the connection and for what only the proxy can know', async (t) => {
  const upstream = await startUpstream((request, response) => {
    response.end(JSON.stringify({ method: request.method, url: request.url, fields: request.rawHeaders }))
  })
  const proxy = await serve([siteOf(upstream.address)])
  t.after(() => Promise.all([proxy.close(), upstream.close()]))
  const answer = await exchangeBytes(
    proxy.port,
    'GET /a%2fb/../c?q=1 HTTP/1.1\r\nHost: a.test\r\nX-One: 1\r\nX-Forwarded-For: 6.6.6.6\r\nx-one: 2\r\nConnection: close\r\n\r\n',
  )
  const { method, url, fields } = JSON.parse(answer.slice(answer.indexOf('{'), answer.lastIndexOf('}') + 1))
  assert.equal(method, 'GET')
  assert.equal(url, '/a%2fb/../c?q=1')
  assert.deepEqual(fields, [
    ...['Host', 'a.test', 'X-One', '1', 'x-one', '2'],
    ...['X-Forwarded-For', '192.0.2.1', 'X-Forwarded-Proto', 'http', 'X-Forwarded-Host', 'a.test'],
    ...['X-Request-Id', FIRST_REQUEST_ID, 'Connection', 'keep-alive'],
  ])
  const [access] = proxy.accesses
  assert.equal(access?.status, 200)
  assert.equal(access?.site, 'a.test')
})

test('the response keeps its order, case and duplicates, its Date and its Server', async (t) => {
  const upstream = await startUpstream((_request, response) => {
    response.sendDate = false
    response.writeHead(203, 'Quite Fine', [
      ...['Date', 'Sun, 06 Nov 1994 08:49:37 GMT', 'Server', 'app/1', 'Set-Cookie', 'a=1'],
      ...['X-Z', 'z', 'Set-Cookie', 'b=2', 'Connection', 'X-Internal', 'X-Internal', 'secret', 'Content-Length', '2'],
    ])
    response.end('ok')
  })
  const proxy = await serve([siteOf(upstream.address)])
  t.after(() => Promise.all([proxy.close(), upstream.close()]))
  const answer = await exchangeBytes(proxy.port, `GET / HTTP/1.1\r\n${CLOSE}`)
  assert.equal(
    answer,
    'HTTP/1.1 203 Quite Fine\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nServer: app/1\r\nSet-Cookie: a=1\r\nX-Z: z\r\nSet-Cookie: b=2\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok',
  )
})

test('a body streams both ways, whole, of known and unknown length', async (t) => {
  const upstream = await startUpstream((request, response) => {
    request.pipe(response)
  })
  const proxy = await serve([siteOf(upstream.address)])
  t.after(() => Promise.all([proxy.close(), upstream.close()]))
  const body = Buffer.alloc(5_000_000, 'castellan ')
  for (const fields of [{ 'Content-Length': body.length }, { 'Transfer-Encoding': 'chunked' }]) {
    const headers = { Host: 'a.test', ...fields }
    const request = httpRequest({ port: proxy.port, host: '127.0.0.1', method: 'POST', headers, agent: false })
    request.end(body)
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    const hash = createHash('sha256')
    for await (const piece of response) hash.update(piece)
    assert.equal(hash.digest('hex'), createHash('sha256').update(body).digest('hex'))
  }
})

test('a client that does not read stops the upstream', async (t) => {
  let written = 0
  const upstream = await startUpstream((_request, response) => {
    const piece = Buffer.alloc(64 * 1024)
    const write = (): void => {
      do written += piece.length
      while (response.write(piece) && written < 200_000_000)
      response.once('drain', write)
    }
    write()
  })
  const proxy = await serve([siteOf(upstream.address)])
  const client = connect(proxy.port, '127.0.0.1')
  t.after(() => Promise.all([client.destroy(), proxy.close(), upstream.close()]))
  client.write(`GET / HTTP/1.1\r\n${CLOSE}`)
  client.pause()
  let before = -1
  while (before !== written) {
    before = written
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  assert.ok(written > 0 && written < 50_000_000, `the upstream was let write ${written} bytes`)
})

test('a client that goes away ends the request at the upstream at once', async (t) => {
  const gone = Promise.withResolvers<void>()
  const upstream = await startUpstream((request, response) => {
    request.once('close', () => gone.resolve())
    response.write('begun')
  })
  const proxy = await serve([siteOf(upstream.address)])
  t.after(() => Promise.all([proxy.close(), upstream.close()]))
  const client = connect(proxy.port, '127.0.0.1')
  client.write('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n')
  await once(client, 'data')
  client.resetAndDestroy()
  await gone.promise
})

test('an upstream that refuses connections is a 502 that reveals nothing, and a log line that says all', async (t) => {
  const upstream = await startUpstream(() => {})
  await upstream.close()
  const proxy = await serve([siteOf(upstream.address)])
  t.after(() => proxy.close())
  const answer = await exchangeBytes(proxy.port, `GET / HTTP/1.1\r\n${CLOSE}`)
  assert.match(answer, /^HTTP\/1\.1 502 Bad Gateway\r\n/)
  assert.doesNotMatch(answer, /127\.0\.0\.1|ECONN|refused/)
  const [entry] = proxy.log.of('upstream-unreachable')
  assert.match(
    entry!.message,
    /a\.test: http:\/\/127\.0\.0\.1:\d+ cannot be reached: nothing listens there \(ECONNREFUSED\)/,
  )
})

test('an upstream that is down is logged once, not once a request', async (t) => {
  const upstream = await startUpstream(() => {})
  await upstream.close()
  const proxy = await serve([siteOf(upstream.address)])
  t.after(() => proxy.close())
  await Promise.all(Array.from({ length: 20 }, () => exchangeBytes(proxy.port, `GET / HTTP/1.1\r\n${CLOSE}`)))
  assert.equal(proxy.log.of('upstream-unreachable').length, 1)
})

for (const [fault, bytes] of [
  ['closes without an answer', ''],
  ['answers garbage', 'garbage\r\n\r\n'],
  ['frames its body twice', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
] as const)
  test(`an upstream that ${fault} is a 502`, async (t) => {
    const server = createServer((socket) => {
      socket.on('error', () => {})
      socket.once('data', () => socket.end(bytes))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    const proxy = await serve([siteOf({ scheme: 'http', host: '127.0.0.1', port })])
    t.after(() => Promise.all([proxy.close(), server.close()]))
    assert.match(await exchangeBytes(proxy.port, `GET / HTTP/1.1\r\n${CLOSE}`), /^HTTP\/1\.1 502 /)
  })

for (const [name, head, body] of [
  ['shorter than its Content-Length', 'Content-Length: 100', 'only this'],
  ['without its last chunk', 'Transfer-Encoding: chunked', '9\r\nonly this\r\n'],
] as const)
  test(`a response ${name} never ends cleanly: the client can tell`, async (t) => {
    const server = createServer((socket) => {
      socket.on('error', () => {})
      socket.once('data', () => {
        socket.write(`HTTP/1.1 200 OK\r\n${head}\r\n\r\n${body}`)
        setTimeout(() => socket.end(), 50)
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    const proxy = await serve([siteOf({ scheme: 'http', host: '127.0.0.1', port })])
    t.after(() => Promise.all([proxy.close(), server.close()]))
    const answer = await exchangeBytes(proxy.port, 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n').catch(String)
    assert.match(answer, /only this/)
    assert.doesNotMatch(answer, /\r\n0\r\n\r\n$/)
    while (proxy.accesses.length === 0) await new Promise((resolve) => setImmediate(resolve))
    assert.equal(proxy.accesses[0]?.status, 200)
  })

test('a request on a pooled connection that the upstream has closed is sent again', async (t) => {
  let connections = 0
  const server = createServer((socket) => {
    connections++
    socket.on('error', () => {})
    socket.once('data', () => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
      // Closed without a word as soon as the next request comes: the pool cannot have known.
      socket.once('data', () => socket.destroy())
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const proxy = await serve([siteOf({ scheme: 'http', host: '127.0.0.1', port })])
  t.after(() => Promise.all([proxy.close(), server.close()]))
  assert.match(await exchangeBytes(proxy.port, `GET / HTTP/1.1\r\n${CLOSE}`), /200 OK[\s\S]*ok$/)
  assert.match(await exchangeBytes(proxy.port, `GET / HTTP/1.1\r\n${CLOSE}`), /200 OK[\s\S]*ok$/)
  assert.equal(connections, 2)
  // A POST may have been acted on, so it is not.
  assert.match(await exchangeBytes(proxy.port, `POST / HTTP/1.1\r\nContent-Length: 1\r\n${CLOSE}x`), /^HTTP\/1\.1 502 /)
})

test('a WebSocket is upgraded, with what either side says at once, and closes with either side', async (t) => {
  const closed = Promise.withResolvers<void>()
  const upstream = await startUpstream(() => {})
  upstream.server.on('upgrade', (request, socket, head) => {
    assert.equal(request.headers['x-forwarded-for'], '192.0.2.1')
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\nhello ${head}`,
    )
    socket.on('data', (data: Buffer) => socket.write(data))
    socket.on('error', () => {})
    socket.on('end', () => {
      socket.end()
      closed.resolve()
    })
  })
  const proxy = await serve([siteOf(upstream.address)])
  t.after(() => Promise.all([proxy.close(), upstream.close()]))
  const client = connect(proxy.port, '127.0.0.1')
  client.setEncoding('latin1')
  let received = ''
  client.on('data', (text: string) => {
    received += text
  })
  const until = async (text: string): Promise<void> => {
    while (!received.endsWith(text)) await once(client, 'data')
  }
  client.write(
    'GET /socket HTTP/1.1\r\nHost: a.test\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\nearly',
  )
  await until('early')
  assert.match(
    received,
    /^HTTP\/1\.1 101 Switching Protocols\r\nSec-WebSocket-Accept: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello /,
  )
  client.write('ping')
  await until('ping')
  client.destroy()
  await closed.promise
})

test('an upgrade that the upstream declines is an ordinary response, and the connection goes on', async (t) => {
  const upstream = await startUpstream((_request, response) => {
    response.statusCode = 426
    response.end('no')
  })
  const proxy = await serve([siteOf(upstream.address)])
  t.after(() => Promise.all([proxy.close(), upstream.close()]))
  const upgrade = 'GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'
  const answer = await exchangeBytes(proxy.port, `${upgrade}GET / HTTP/1.1\r\n${CLOSE}`)
  assert.match(answer, /^HTTP\/1\.1 426 [\s\S]*noHTTP\/1\.1 426 [\s\S]*no$/)
})

test('port 80 leads to HTTPS with path and query, with 308', async (t) => {
  const site = siteOf({ scheme: 'http', host: '127.0.0.1', port: 1 }, { redirectToHttps: true, hsts: 'max-age=1' })
  const proxy = await serve([site])
  t.after(() => proxy.close())
  const answer = await exchangeBytes(
    proxy.port,
    'POST /a?b=c HTTP/1.1\r\nHost: a.test:8080\r\nConnection: close\r\n\r\n',
  )
  assert.match(answer, /^HTTP\/1\.1 308 Permanent Redirect\r\nLocation: https:\/\/a\.test:8443\/a\?b=c\r\n/)
  assert.doesNotMatch(answer, /strict-transport-security/i, 'HSTS is said over TLS only (RFC 6797 §7.2)')
})

test('nobody is redirected to a host that is not ours', async (t) => {
  const proxy = await serve([siteOf({ scheme: 'http', host: '127.0.0.1', port: 1 }, { redirectToHttps: true })])
  t.after(() => proxy.close())
  const answer = await exchangeBytes(proxy.port, 'GET / HTTP/1.1\r\nHost: evil.test\r\nConnection: close\r\n\r\n')
  assert.match(answer, /^HTTP\/1\.1 404 /)
  assert.doesNotMatch(answer, /evil/)
})

test('a challenge answer goes ahead of every redirect and site; other tokens are 404', async (t) => {
  const proxy = await serve([siteOf({ scheme: 'http', host: '127.0.0.1', port: 1 }, { redirectToHttps: true })])
  t.after(() => proxy.close())
  proxy.http01.publish('tok', 'tok.key')
  const get = (path: string, host = 'a.test'): Promise<string> =>
    exchangeBytes(proxy.port, `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
  assert.match(await get('/.well-known/acme-challenge/tok'), /^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\ntok\.key$/)
  assert.match(await get('/.well-known/acme-challenge/tok', 'alias.test'), /^HTTP\/1\.1 200 /)
  for (const path of ['other', '', '../tok', 'tok/', '__proto__', 'constructor'])
    assert.match(await get(`/.well-known/acme-challenge/${path}`), /^HTTP\/1\.1 404 /, path)
  proxy.http01.withdraw('tok')
  assert.match(await get('/.well-known/acme-challenge/tok'), /^HTTP\/1\.1 404 /)
})

test('HSTS is on every response over TLS, once, and in place of the application’s own', async (t) => {
  const upstream = await startUpstream((_request, response) => {
    response.setHeader('strict-transport-security', 'max-age=0')
    response.end('ok')
  })
  const over = { certificateNames: ['a.test', 'b.test'] }
  const proxy = await serve(
    [
      siteOf(upstream.address, { hsts: 'max-age=5184000' }),
      siteOf({ scheme: 'http', host: '127.0.0.1', port: 1 }, { name: 'b.test', names: ['b.test'], hsts: 'max-age=9' }),
    ],
    { client: over },
  )
  t.after(() => Promise.all([proxy.close(), upstream.close()]))
  const good = await exchangeBytes(proxy.port, `GET / HTTP/1.1\r\n${CLOSE}`)
  assert.deepEqual(good.match(/strict-transport-security: .*/gi), ['Strict-Transport-Security: max-age=5184000'])
  const bad = await exchangeBytes(proxy.port, 'GET / HTTP/1.1\r\nHost: b.test\r\nConnection: close\r\n\r\n')
  assert.match(bad, /^HTTP\/1\.1 502 [\s\S]*Strict-Transport-Security: max-age=9\r\n/)
})

test('a host that the certificate of this connection does not cover is misdirected: 421 (RFC 9110 §7.4)', async (t) => {
  const upstream = await startUpstream((_request, response) => {
    response.end('ok')
  })
  const sites = [siteOf(upstream.address), siteOf(upstream.address, { name: 'b.test', names: ['b.test'] })]
  const proxy = await serve(sites, { client: { certificateNames: ['a.test'] } })
  t.after(() => Promise.all([proxy.close(), upstream.close()]))
  assert.match(await exchangeBytes(proxy.port, `GET / HTTP/1.1\r\n${CLOSE}`), /^HTTP\/1\.1 200 /)
  const other = await exchangeBytes(proxy.port, 'GET / HTTP/1.1\r\nHost: b.test\r\nConnection: close\r\n\r\n')
  assert.match(other, /^HTTP\/1\.1 421 /)
})

test('a client without SNI reaches the fallback site under any name but that of another site', async (t) => {
  const upstream = await startUpstream((_request, response) => {
    response.end('ok')
  })
  const sites = [siteOf(upstream.address), siteOf(upstream.address, { name: 'b.test', names: ['b.test'] })]
  const client = { certificateNames: ['a.test'], usesFallback: true }
  const proxy = await serve(sites, { client, fallback: 'a.test' })
  t.after(() => Promise.all([proxy.close(), upstream.close()]))
  for (const [host, status] of [
    ['a.test', 200],
    ['127.0.0.1', 200],
    ['b.test', 421],
  ] as const) {
    const answer = await exchangeBytes(proxy.port, `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
    assert.match(answer, new RegExp(`^HTTP/1.1 ${status} `), host)
  }
})

test('a redirecting site keeps path and query', async (t) => {
  const action = { type: 'redirect', to: 'https://example.com', status: 308 } as const
  const proxy = await serve([{ ...siteOf({ scheme: 'unix', path: '/' }), action }])
  t.after(() => proxy.close())
  const answer = await exchangeBytes(
    proxy.port,
    'GET http://a.test/x?y HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n',
  )
  assert.match(answer, /^HTTP\/1\.1 308 [\s\S]*Location: https:\/\/example\.com\/x\?y\r\n/)
})

for (const [name, bytes, status] of [
  ['no Host', 'GET / HTTP/1.1\r\nConnection: close\r\n\r\n', 400],
  ['a Host that is none', 'GET / HTTP/1.1\r\nHost: a@b\r\nConnection: close\r\n\r\n', 400],
  ['CONNECT', 'CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n', 405],
  ['fields of 40 KiB', `GET / HTTP/1.1\r\nHost: a.test\r\nX: ${'x'.repeat(40_000)}\r\n\r\n`, 431],
  ['two lengths', 'POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx', 400],
  [
    'length and chunks',
    'POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    400,
  ],
] as const)
  test(`refuses ${name} with ${status}, and the upstream sees nothing`, async (t) => {
    let requests = 0
    const upstream = await startUpstream((_request, response) => {
      requests++
      response.end()
    })
    const proxy = await serve([siteOf(upstream.address)])
    t.after(() => Promise.all([proxy.close(), upstream.close()]))
    assert.match(await exchangeBytes(proxy.port, bytes), new RegExp(`^HTTP/1.1 ${status} `))
    assert.equal(requests, 0)
  })

test('draining closes idle connections at once and others after their response', async (t) => {
  const released = Promise.withResolvers<void>()
  const upstream = await startUpstream((_request, response) => {
    void released.promise.then(() => response.end('late'))
  })
  const proxy = await serve([siteOf(upstream.address)])
  t.after(() => Promise.all([proxy.close(), upstream.close()]))
  const idle = connect(proxy.port, '127.0.0.1')
  idle.write('GET /.well-known/acme-challenge/x HTTP/1.1\r\nHost: a.test\r\n\r\n')
  await once(idle, 'data')
  const busy = exchangeBytes(proxy.port, 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n')
  while (proxy.accesses.length < 1) await new Promise((resolve) => setImmediate(resolve))
  await new Promise((resolve) => setTimeout(resolve, 50))
  const idleClosed = once(idle.resume(), 'close')
  proxy.drain()
  await idleClosed
  released.resolve()
  assert.match(await busy, /^HTTP\/1\.1 200 [\s\S]*late/)
})
