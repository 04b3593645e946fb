import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { after, test } from 'node:test'
import { Peer, until } from '../http1/peer.ts'
import { data, ES, get, headers, literals, ping } from '../http2/frames.ts'
import { siteOf } from '../serve.ts'
import { connectFrames } from './frame-client.ts'
import { runEdge, statusesIn, WAYS } from './running-edge.ts'
import { ScriptedOrigin } from './scripted-origin.ts'

// Who asks to leave HTTP, through a running edge: a tunnel begins with a 101 to a handshake, and with nothing else.

const HOST = 'Host: a.test\r\n'
const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
const SMUGGLED = `GET /smuggled HTTP/1.1\r\n${HOST}\r\n`
const upgrade = (target: string, fields = 'Upgrade: websocket\r\n', method = 'GET', connection = 'Upgrade'): string =>
  `${method} ${target} HTTP/1.1\r\n${HOST}Connection: ${connection}\r\n${fields}\r\n`

const origin = await new ScriptedOrigin().listen({ after })
const edge = await runEdge({ after }, [siteOf(origin.address)])
const heads: string[] = []
origin.on('/', (socket) => socket.write(OK))
origin.on('/switch', (socket, head) => {
  heads.push(head)
  socket.write(SWITCH)
})
origin.on('/decline', (socket, head) => {
  heads.push(head)
  socket.write(OK)
})

for (const [name, bytes] of [
  [
    'h2c',
    upgrade(
      '/decline',
      'Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n',
      'GET',
      'Upgrade, HTTP2-Settings, close',
    ),
  ],
  ['h2c among others', upgrade('/decline', 'Upgrade: websocket, H2C\r\n', 'GET', 'Upgrade, close')],
  ['content', `${upgrade('/decline', 'Upgrade: websocket\r\nContent-Length: 2\r\n', 'POST', 'Upgrade, close')}hi`],
  [
    'content in chunks, of none',
    `${upgrade('/decline', 'Upgrade: tcp\r\nTransfer-Encoding: chunked\r\n', 'POST', 'Upgrade, close')}0\r\n\r\n`,
  ],
  ['another HTTP', upgrade('/decline', 'Upgrade: HTTP/2.0\r\n', 'GET', 'Upgrade, close')],
  ['TLS (RFC 2817)', upgrade('/decline', 'Upgrade: TLS/1.0\r\n', 'OPTIONS', 'Upgrade, close')],
  ['h2c on a line of its own', upgrade('/decline', 'Upgrade: websocket\r\nUpgrade: h2c\r\n', 'GET', 'Upgrade, close')],
  ['no list of protocols', upgrade('/decline', 'Upgrade: websocket;h2c\r\n', 'GET', 'Upgrade, close')],
  ['no Connection: Upgrade', upgrade('/decline', 'Upgrade: websocket\r\n', 'GET', 'close')],
  ['HTTP/1.0', upgrade('/decline').replace('HTTP/1.1', 'HTTP/1.0')],
] as const)
  test(`an upgrade with ${name} is none, and is not passed on (RFC 9110 §7.8)`, async () => {
    for (const way of WAYS) {
      assert.deepEqual(statusesIn(await edge.tell(way, bytes)), [200], name)
      assert.doesNotMatch(heads.pop()!, /upgrade|http2-settings/i)
    }
  })

test('101 in answer to what is no upgrade is a 502', async () => {
  const bytes = upgrade('/switch', 'Upgrade: h2c\r\n', 'GET', 'Upgrade, close') + SMUGGLED
  for (const way of WAYS) assert.deepEqual(statusesIn(await edge.tell(way, bytes)), [502])
})

test('a response other than 101 leaves the connection with HTTP, and what follows is requests', async () => {
  for (const way of WAYS) {
    origin.asked.splice(0)
    const next = `GET /ok HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`
    assert.deepEqual(statusesIn(await edge.tell(way, upgrade('/decline') + next)), [200, 200])
    assert.deepEqual(origin.asked, ['GET /decline HTTP/1.1', 'GET /ok HTTP/1.1'])
  }
})

test('bytes ahead of the 101 are held, no more than one read of them, and none is a request', async () => {
  let asked = Promise.withResolvers<() => void>()
  let tunnelled = ''
  origin.on('/late', (socket) => {
    socket.removeAllListeners('data').on('data', (text) => {
      tunnelled += text
    })
    asked.resolve(() => socket.write(SWITCH))
  })
  for (const way of WAYS) {
    tunnelled = ''
    asked = Promise.withResolvers()
    const peer = new Peer(await edge.connect(way))
    peer.say(upgrade('/late'))
    const flood = 'x'.repeat(1_000_000)
    peer.say(SMUGGLED)
    for (let count = 0; count < 20; count++) peer.say(flood)
    const release = await asked.promise
    await new Promise((resolve) => setTimeout(resolve, 200))
    assert.ok(peer.socket.writableLength > 5_000_000, 'the rest waits in the socket of the client')
    assert.equal(tunnelled.length, 0)
    release()
    await peer.hear('\r\n\r\n')
    await until(() => tunnelled.length === SMUGGLED.length + 20 * flood.length)
    assert.equal(tunnelled.slice(0, SMUGGLED.length), SMUGGLED)
    peer.socket.destroy()
  }
})

for (const [name, fields, method] of [
  ['Docker attaches', 'Upgrade: tcp\r\nContent-Length: 0\r\n', 'POST'],
  ['kubectl runs something', 'X-Stream-Protocol-Version: v4.channel.k8s.io\r\nUpgrade: SPDY/3.1\r\n', 'POST'],
] as const)
  test(`any other protocol is passed on, by any method: ${name}`, async () => {
    const protocol = /Upgrade: (.*)\r\n/.exec(fields)![1]!
    origin.on('/other', (socket, head) => {
      heads.push(head)
      socket.write(`HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\nhello`)
      socket.removeAllListeners('data').on('data', (text) => socket.write(`<${text}>`))
    })
    for (const way of WAYS) {
      const peer = new Peer(await edge.connect(way))
      peer.say(`${upgrade('/other', fields, method)}early`)
      assert.match(
        await peer.hear('<early>'),
        new RegExp(`^HTTP/1.1 101 UPGRADED\r\n[^]*\r\nUpgrade: ${protocol}\r\n\r\nhello`),
      )
      assert.match(
        heads.pop()!,
        new RegExp(`^${method} /other [^]*\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\n$`),
      )
      peer.socket.destroy()
    }
  })

for (const [name, fields] of [
  ['another protocol', 'Upgrade: tcp\r\n'],
  ['one more protocol', 'Upgrade: websocket\r\nUpgrade: h2c\r\n'],
  ['a protocol upon it', 'Upgrade: websocket, h2c\r\n'],
  ['no protocol', ''],
] as const)
  test(`101 that names ${name} is a 502, and what was held is dropped`, async () => {
    origin.on('/wrong', (socket) =>
      socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n${fields}\r\n`),
    )
    for (const way of WAYS) {
      origin.asked.splice(0)
      const peer = new Peer(await edge.connect(way))
      peer.say(upgrade('/wrong') + upgrade('/decline', '', 'GET', 'close'))
      assert.deepEqual(statusesIn(await peer.hearEnd()), [502, 200])
      assert.deepEqual(origin.asked, ['GET /wrong HTTP/1.1', 'GET /decline HTTP/1.1'])
      assert.ok(
        ![...origin.open].some((socket) => socket.bytesWritten > 200),
        'nobody uses the connection that said so',
      )
    }
  })

const ASK = [':method', 'CONNECT', ':scheme', 'https', ':authority', 'a.test']

test('over HTTP/2 no other HTTP is asked for either: 501 (RFC 9220 §3)', async (t) => {
  const client = await connectFrames(t, edge)
  origin.asked.splice(0)
  for (const [at, protocol] of ['h2c', 'H2C', 'h2', 'http', 'tls'].entries()) {
    client.say(headers(2 * at + 1, literals(...ASK, ':path', '/switch', ':protocol', protocol)))
    assert.match(await client.hear(`HEADERS ${2 * at + 1}`), /:status=501/)
  }
  assert.deepEqual(origin.asked, [])
})

test('over HTTP/2 what comes ahead of the answer is held, no more than a window of it, and never a request', async (t) => {
  const client = await connectFrames(t, edge)
  const asked = Promise.withResolvers<Socket>()
  origin.on('/never', (socket) => asked.resolve(socket))
  origin.asked.splice(0)
  client.say(headers(1, literals(...ASK, ':path', '/never', ':protocol', 'websocket')))
  const socket = await asked.promise
  const piece = Buffer.from(SMUGGLED.repeat(200)).subarray(0, 13_107)
  for (let count = 0; count < 5; count++) client.say(data(1, piece))
  client.say(ping())
  await client.hear('PING ACK')
  assert.ok(!client.lines.some((line) => line.startsWith('WINDOW_UPDATE 1 ')), client.lines.join('; '))
  socket.write(OK.replace('200 OK', '403 Forbidden'))
  assert.match(await client.hear('HEADERS 1'), /:status=403/)
  client.say(data(1, '', ES), get(3))
  await client.hear('HEADERS 3')
  assert.deepEqual(origin.asked.slice(0, 2), ['GET /never HTTP/1.1', 'GET / HTTP/1.1'])
})

test('a tunnel ends with either side, and what was said before gets through', async () => {
  origin.on('/both', (socket) => {
    socket.write(`${SWITCH}hello`)
    socket.removeAllListeners('end').on('end', () => socket.end('bye'))
  })
  origin.on('/origin-ends', (socket) => socket.end(`${SWITCH}gone`))
  for (const way of WAYS) {
    const peer = new Peer(await edge.connect(way))
    peer.say(upgrade('/both'))
    await peer.hear('hello')
    peer.socket.end()
    // TLS has no half of a connection here: both ends go.
    if (way === 'http') assert.equal(await peer.hearEnd(), 'bye')
    const other = new Peer(await edge.connect(way))
    other.say(upgrade('/origin-ends'))
    assert.match(await other.hearEnd(), /gone$/)
    peer.socket.destroy()
    other.socket.destroy()
  }
})
