import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type LookupFunction, type Server } from 'node:net'
import { type TestContext, test } from 'node:test'
import { createServer as createTlsServer } from 'node:tls'
import { Sweep } from '../../../src/edge/sweep.ts'
import { lookupUpstream } from '../../../src/edge/upstream/names.ts'
import { exchangeBytes, serve, siteOf, upstreamOf } from '../serve.ts'
import { certificate, rootPem } from '../tls/served.ts'

const GET = 'GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n'

/** An app that says its name; connections stay open. */
function app(name: string): Server {
  const answer = `HTTP/1.1 200 OK\r\nContent-Length: ${name.length}\r\n\r\n${name}`
  return createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', () => socket.write(answer))
  })
}

async function listening(t: TestContext, server: Server, host: string, port = 0): Promise<number> {
  server.listen(port, host)
  await once(server, 'listening')
  t.after(() => server.close())
  return (server.address() as AddressInfo).port
}

for (const host of ['127.0.0.1', '::1'])
  test(`localhost leads to an app that listens on ${host} only, with TLS as well`, async (t) => {
    const port = await listening(t, app('app'), host)
    const { chain, privateKey } = await certificate('ecdsa-p256', 'localhost')
    const tls = createTlsServer({ cert: chain, key: privateKey }, (socket) => {
      socket.on('error', () => {})
      socket.on('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ntls'))
    })
    const tlsPort = await listening(t, tls, host)
    const secured = upstreamOf(
      { scheme: 'https', host: 'localhost', port: tlsPort },
      { tls: { trust: await rootPem(), serverName: undefined, verify: true } },
    )
    const proxy = await serve([
      siteOf({ scheme: 'http', host: 'LOCALHOST', port }),
      siteOf(secured, { name: 'b.test', names: ['b.test'] }),
    ])
    t.after(() => proxy.close())
    assert.match(await exchangeBytes(proxy.port, GET), /app$/)
    assert.match(await exchangeBytes(proxy.port, GET.replace('a.test', 'b.test')), /tls$/)
  })

test('localhost is asked of nobody (RFC 6761 §6.3), and is of the family that is asked for', () => {
  const found: unknown[] = []
  const remember = (...results: unknown[]): unknown => found.push(results)
  lookupUpstream('localhost', { all: true }, remember)
  lookupUpstream('localhost', { family: 4 }, remember)
  lookupUpstream('localhost', { family: 6 }, remember)
  const [v4, v6] = [
    { address: '127.0.0.1', family: 4 },
    { address: '::1', family: 6 },
  ]
  assert.deepEqual(found, [
    [null, [v4, v6]],
    [null, '127.0.0.1', 4],
    [null, '::1', 6],
  ])
})

test('a name that leads elsewhere by now is followed within 10 minutes, however busy its connections are', async (t) => {
  const old = app('old')
  const port = await listening(t, old, '127.0.0.1')
  await listening(t, app('new'), '127.0.0.2', port)
  let address = '127.0.0.1'
  let lookups = 0
  const lookup: LookupFunction = (_name, _options, callback) => {
    lookups++
    callback(null, [{ address, family: 4 }])
  }
  let now = 0
  const sweep = new Sweep(() => now)
  const proxy = await serve([siteOf({ scheme: 'http', host: 'app.test', port })], { sweep, lookup })
  t.after(() => proxy.close())
  const answers: string[] = []
  // Every 40 s, for less than the 50 s for which an idle connection is kept.
  for (let times = 0; times < 17; times++) {
    answers.push((await exchangeBytes(proxy.port, GET)).slice(-3))
    address = '127.0.0.2'
    now += 40_000
    sweep.run()
  }
  assert.equal(answers.indexOf('new'), 16)
  assert.equal(lookups, 2)
})

test('a new connection goes where the name leads now, while the others are kept', async (t) => {
  const seen: string[] = []
  const holding = (name: string): Server =>
    createServer((socket) => {
      seen.push(name)
      socket.on('error', () => {})
    })
  const port = await listening(t, holding('one'), '127.0.0.1')
  await listening(t, holding('two'), '127.0.0.2', port)
  const addresses = ['127.0.0.1', '127.0.0.2']
  const lookup: LookupFunction = (_name, _options, callback) =>
    callback(null, [{ address: addresses.shift()!, family: 4 }])
  const proxy = await serve([siteOf({ scheme: 'http', host: 'app.test', port })], { lookup })
  t.after(() => proxy.close())
  for (const count of [1, 2]) {
    const client = connect(proxy.port, '127.0.0.1')
    t.after(() => client.destroy())
    client.write(GET)
    while (seen.length < count) await new Promise((resolve) => setImmediate(resolve))
  }
  assert.deepEqual(seen, ['one', 'two'])
})

test('of many addresses the first that answers is taken; where none does, the log says why', async (t) => {
  const port = await listening(t, app('app'), '127.0.0.3')
  const lookup: LookupFunction = (name, _options, callback) => {
    const last = name === 'some.test' ? '127.0.0.3' : '127.0.0.4'
    callback(
      null,
      ['127.0.0.1', '::1', '127.0.0.2', last].map((address) => ({ address, family: address === '::1' ? 6 : 4 })),
    )
  }
  const sites = [
    siteOf({ scheme: 'http', host: 'some.test', port }),
    siteOf({ scheme: 'http', host: 'none.test', port }, { name: 'b.test', names: ['b.test'] }),
  ]
  const proxy = await serve(sites, { lookup })
  t.after(() => proxy.close())
  assert.match(await exchangeBytes(proxy.port, GET), /app$/)
  assert.match(await exchangeBytes(proxy.port, GET.replace('a.test', 'b.test')), /^HTTP\/1\.1 502 /)
  assert.match(
    proxy.log.of('upstream-unreachable')[0]!.message,
    /none\.test:\d+ cannot be reached: nothing listens there/,
  )
})

test('a name that is none is a 502 that the log explains', async (t) => {
  const lookup: LookupFunction = (_name, _options, callback) =>
    callback(Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' }), [])
  const proxy = await serve([siteOf({ scheme: 'http', host: 'app.test', port: 1 })], { lookup })
  t.after(() => proxy.close())
  assert.match(await exchangeBytes(proxy.port, GET), /^HTTP\/1\.1 502 /)
  assert.match(proxy.log.of('upstream-unreachable')[0]!.message, /its name cannot be resolved \(ENOTFOUND\)/)
})

/** A port that cuts off the first connections, and passes the others on. */
function cutting(count: number, target: number): { server: Server; connections: () => number } {
  let connections = 0
  const server = createServer((socket) => {
    socket.on('error', () => {})
    if (++connections <= count) return socket.once('data', () => socket.resetAndDestroy())
    const behind = connect(target, '127.0.0.1')
    behind.on('error', () => socket.destroy())
    return socket.pipe(behind).pipe(socket)
  })
  return { server, connections: () => connections }
}

test('a connection that is cut off before anything was sent on it is tried once more, whatever the method', async (t) => {
  const { chain, privateKey } = await certificate('ecdsa-p256', 'localhost')
  const requests: string[] = []
  const tls = createTlsServer({ cert: chain, key: privateKey }, (socket) => {
    socket.on('error', () => {})
    socket.on('data', (bytes) => {
      requests.push(bytes.toString())
      if (bytes.includes('body')) socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    })
  })
  const tlsPort = await listening(t, tls, '127.0.0.1')
  for (const [count, status, tries] of [
    [1, /^HTTP\/1\.1 200 /, 2],
    [9, /^HTTP\/1\.1 502 /, 2],
  ] as const) {
    const { server, connections } = cutting(count, tlsPort)
    const port = await listening(t, server, '127.0.0.1')
    const trust = { trust: await rootPem(), serverName: 'localhost', verify: true }
    const proxy = await serve([siteOf(upstreamOf({ scheme: 'https', host: '127.0.0.1', port }, { tls: trust }))])
    t.after(() => proxy.close())
    const post = 'POST / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbody'
    assert.match(await exchangeBytes(proxy.port, post), status)
    assert.equal(connections(), tries)
  }
  assert.equal(requests.filter((bytes) => bytes.includes('POST')).length, 1)
})
