import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createSecureServer } from 'node:http2'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { createServer as createTlsServer } from 'node:tls'
import type { ClientFacts } from '../../../src/edge/exchange/exchange.ts'
import { readProxyHeader } from '../../../src/edge/proxy-protocol/header.ts'
import type { UpstreamSnapshot } from '../../../src/edge/snapshot.ts'
import { Sweep } from '../../../src/edge/sweep.ts'
import { ClientPools } from '../../../src/edge/upstream/client-pools.ts'
import type { Borrower, UpstreamPool } from '../../../src/edge/upstream/pool.ts'
import { Peer, turns, until } from '../http1/peer.ts'
import { serve, siteOf, upstreamOf } from '../serve.ts'
import { certificate, rootPem } from '../tls/served.ts'

const GET = 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n'
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

async function listening(t: TestContext, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return (server.address() as AddressInfo).port
}

type Front = { client?: (socket: Socket) => Partial<ClientFacts>; trustedProxies?: string[]; sweep?: Sweep }

/** A proxy in front of an upstream on this port; clients are told apart by their ports, as in real life. */
async function told(t: TestContext, port: number, settings: Partial<UpstreamSnapshot> = {}, front: Front = {}) {
  const upstream = upstreamOf({ scheme: 'http', host: '127.0.0.1', port }, { proxyProtocol: 'v1', ...settings })
  const proxy = await serve([siteOf(upstream)], {
    client: ({ remotePort }) => ({ port: remotePort, localPort: 443 }),
    ...front,
  })
  const sockets: Socket[] = []
  t.after(async () => {
    for (const socket of sockets) socket.destroy()
    await proxy.close()
  })
  const client = async (): Promise<Peer & { port: number }> => {
    const socket = connect({ port: proxy.port, host: '127.0.0.1', allowHalfOpen: true })
    sockets.push(socket)
    await once(socket, 'connect')
    return Object.assign(new Peer(socket), { port: socket.localPort! })
  }
  return { client, proxy }
}

/** An upstream that is played. */
async function played(t: TestContext) {
  const peers: Peer[] = []
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => peers.push(new Peer(socket)))
  const port = await listening(t, server)
  t.after(() => {
    for (const { socket } of peers) socket.destroy()
  })
  const peer = async (index: number): Promise<Peer> => {
    await until(() => peers.length > index)
    return peers[index]!
  }
  return { port, peers, peer }
}

for (const version of ['v1', 'v2'] as const)
  test(`a connection begins with a header of ${version}, and carries one client’s requests alone`, async (t) => {
    const { port, peers, peer } = await played(t)
    const { client } = await told(t, port, { proxyProtocol: version })
    const [one, other] = [await client(), await client()]
    for (const [index, who] of [one, other, one, other].entries()) {
      who.say(GET)
      const behind = await peer(index % 2)
      const heard = Buffer.from(await behind.hear('Connection: keep-alive\r\n\r\n'), 'latin1')
      if (index < 2) {
        const header = readProxyHeader(heard)
        assert.ok(typeof header === 'object' && 'endpoints' in header)
        const endpoints = {
          clientAddress: '192.0.2.1',
          clientPort: who.port,
          localAddress: '192.0.2.254',
          localPort: 443,
        }
        assert.deepEqual(header.endpoints, endpoints)
        assert.match(heard.toString('latin1', header.length), /^GET \/ HTTP\/1\.1\r\n/)
      } else assert.match(heard.toString('latin1'), /^GET \/ HTTP\/1\.1\r\n/)
      behind.say(OK)
      await who.hear('ok')
    }
    assert.equal(peers.length, 2)
  })

test('clients whom a trusted proxy names have connections of their own, by their address', async (t) => {
  const { port, peers, peer } = await played(t)
  const { client } = await told(t, port, {}, { trustedProxies: ['192.0.2.1'] })
  const proxy = await client()
  for (const [index, address] of ['198.51.100.7', '198.51.100.8', '2001:db8::7', '198.51.100.7'].entries()) {
    proxy.say(GET.replace('\r\n\r\n', `\r\nX-Forwarded-For: ${address}\r\n\r\n`))
    const behind = await peer(index % 3)
    const heard = await behind.hear('Connection: keep-alive\r\n\r\n')
    const start = address.includes(':')
      ? `PROXY TCP6 ${address} ::ffff:192.0.2.254 0 443\r\n`
      : `PROXY TCP4 ${address} 192.0.2.254 0 443\r\n`
    assert.equal(heard.startsWith(start), index < 3)
    behind.say(OK)
    await proxy.hear('ok')
  }
  assert.equal(peers.length, 3)
})

test('clients without an address are unknown, and share nothing', async (t) => {
  const { port, peers, peer } = await played(t)
  const nobody = { address: '', port: undefined, localAddress: '', localPort: undefined }
  const { client } = await told(t, port, {}, { client: () => nobody })
  const one = await client()
  for (const index of [0, 1]) {
    one.say(GET)
    const behind = await peer(index)
    assert.match(await behind.hear('\r\n\r\n'), /^PROXY UNKNOWN\r\nGET /)
    behind.say(OK)
    await one.hear('ok')
  }
  assert.equal(peers.length, 2)
})

test('a connection that its client does not use is closed after 10 s', async (t) => {
  let now = 0
  const sweep = new Sweep(() => now)
  const { port, peer } = await played(t)
  const { client } = await told(t, port, {}, { sweep })
  const one = await client()
  one.say(GET)
  const behind = await peer(0)
  await behind.hear('Connection: keep-alive\r\n\r\n')
  behind.say(OK)
  await one.hear('ok')
  now = 9_900
  sweep.run()
  await turns()
  assert.equal(behind.socket.readableEnded, false)
  now = 10_100
  sweep.run()
  await behind.hearEnd()
})

/** A port that takes the header off, remembers it, and passes the rest on. */
async function takingOff(t: TestContext, target: number) {
  const headers: string[] = []
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', (first: Buffer) => {
      const header = readProxyHeader(first)
      if (typeof header !== 'object' || 'refused' in header) return socket.destroy()
      headers.push(header.endpoints?.clientAddress ?? '')
      const behind = connect(target, '127.0.0.1')
      behind.on('error', () => socket.destroy())
      behind.on('close', () => socket.destroy())
      socket.on('close', () => behind.destroy())
      behind.write(first.subarray(header.length))
      return socket.pipe(behind).pipe(socket)
    })
  })
  return { port: await listening(t, server), headers }
}

test('with TLS the header goes first, in clear text, and everything else comes whole, in any sizes', async (t) => {
  const { chain, privateKey } = await certificate('ecdsa-p256', 'localhost')
  const body = Buffer.alloc(3_000_000, 'every octet in its place. ')
  const tls = createTlsServer({ cert: chain, key: privateKey }, (socket) => {
    socket.on('error', () => {})
    socket.on('data', () => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`)
      socket.write(body)
    })
  })
  const { port, headers } = await takingOff(t, await listening(t, tls))
  const trust = { trust: await rootPem(), serverName: 'localhost', verify: true }
  const address = { scheme: 'https', host: '127.0.0.1', port } as const
  for (const proxyProtocol of ['v1', 'v2'] as const) {
    const { client } = await told(t, port, { targets: [{ address, weight: 1 }], tls: trust, proxyProtocol })
    const one = await client()
    for (let times = 0; times < 2; times++) {
      one.say(GET)
      await one.hear('\r\n\r\n')
      one.socket.pause()
      await turns(50)
      one.socket.resume()
      await until(() => one.received.length >= body.length)
      assert.equal(await one.hear(body.toString('latin1')), body.toString('latin1'))
    }
  }
  assert.deepEqual(headers, ['192.0.2.1', '192.0.2.1'])
})

test('with TLS a certificate that is not trusted, or a peer that is gone, is a 502', async (t) => {
  const { chain, privateKey } = await certificate('ecdsa-p256', 'localhost')
  const tls = createTlsServer({ cert: chain, key: privateKey }, () => {})
  const { port } = await takingOff(t, await listening(t, tls))
  const gone = createServer()
  const nowhere = await listening(t, gone)
  gone.close()
  for (const at of [port, nowhere]) {
    const { client } = await told(t, at, {
      targets: [{ address: { scheme: 'https', host: '127.0.0.1', port: at }, weight: 1 }],
    })
    const one = await client()
    one.say(GET)
    await one.hear('HTTP/1.1 502 Bad Gateway\r\n')
  }
})

test('HTTP/2 over TLS after a header: one client’s requests share a connection', async (t) => {
  const { chain, privateKey } = await certificate('ecdsa-p256', 'localhost')
  const server = createSecureServer({ cert: chain, key: privateKey }, (_request, response) => {
    response.end('over h2')
  })
  const { port, headers } = await takingOff(t, await listening(t, server))
  const trust = { trust: await rootPem(), serverName: 'localhost', verify: true }
  const address = { scheme: 'h2', host: '127.0.0.1', port } as const
  const { client } = await told(t, port, { targets: [{ address, weight: 1 }], tls: trust, proxyProtocol: 'v2' })
  for (const one of [await client(), await client()])
    for (let times = 0; times < 2; times++) {
      one.say(GET)
      await one.hear('over h2')
    }
  assert.deepEqual(headers, ['192.0.2.1', '192.0.2.1'])
})

test('the pool of a client is forgotten with its last connection', () => {
  const empty: (() => void)[] = []
  const pools = new ClientPools('v1', (_header, onEmpty): UpstreamPool => {
    empty.push(onEmpty)
    return { hasAnswered: false, lease: () => undefined, close: () => {} }
  })
  const borrower = (clientPort: number): Borrower => ({
    client: { clientAddress: '192.0.2.1', clientPort, localAddress: '192.0.2.2', localPort: 443 },
    onConnection: () => {},
    onUnreachable: () => {},
  })
  for (const port of [1, 2, 1]) pools.lease(borrower(port), false)
  assert.equal(pools.size, 2)
  for (const forget of empty) forget()
  assert.equal(pools.size, 0)
})
