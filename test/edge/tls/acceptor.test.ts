import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { connect as connectHttp2, performServerHandshake } from 'node:http2'
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { test } from 'node:test'
import { type ConnectionOptions, connect } from 'node:tls'
import type { TlsConnection } from '../../../src/edge/tls/acceptor.ts'
import { createTlsAlpnCertificate } from '../../../src/pki/tls-alpn-certificate.ts'
import { clients, sClient } from '../../e2e/s-client.ts'
import { missing } from '../../programs.ts'
import { captureNode } from '../client-hello/capture.ts'
import { record } from '../client-hello/hello-bytes.ts'
import { certificate, reshapingProxy, rootPem, type ServedTls, serveTls } from './served.ts'

const ca = await rootPem()
const dual = await Promise.all([
  certificate('rsa-2048', 'a.test', '*.w.test'),
  certificate('ecdsa-p256', 'a.test', '*.w.test'),
])

/** Says which certificate it was that a connection got. */
function greet({ socket, certificate: shown, protocol }: TlsConnection): void {
  socket.on('error', () => {})
  socket.end(`${shown.id} ${protocol}`)
}

type Answer = { text: string } | { error: string }

function ask(port: number, options: ConnectionOptions = {}): Promise<Answer> {
  return new Promise((resolve) => {
    const named = { servername: 'a.test', ...options }
    const socket = connect({ port, host: '127.0.0.1', ca, checkServerIdentity: () => undefined, ...named })
    let text = ''
    socket.setEncoding('utf8')
    socket.on('data', (piece: string) => {
      text += piece
    })
    socket.once('end', () => resolve({ text }))
    socket.once('error', (error: NodeJS.ErrnoException) => resolve({ error: error.code ?? error.message }))
    socket.once('close', () => resolve({ text }))
  })
}

async function served(t: { after(fn: () => unknown): void }, ...args: Parameters<typeof serveTls>): Promise<ServedTls> {
  const result = await serveTls(...args)
  t.after(() => result.close())
  return result
}

for (const [name, args] of Object.entries(clients))
  test(`${name} gets the certificate that it can verify`, { skip: missing('openssl') }, async (t) => {
    const { port } = await served(t, dual, greet)
    const { chain } = await sClient(port, ['-servername', 'a.test', ...args])
    assert.equal(chain[0]?.publicKey.asymmetricKeyType, name === 'an ECDSA client' ? 'ec' : 'rsa')
  })

for (const [what, options, expected] of [
  ['a client of today: ECDSA and HTTP/2', { ALPNProtocols: ['h2', 'http/1.1'] }, 'ecdsa-p256 a.test,*.w.test h2'],
  ['without ALPN: HTTP/1.1', {}, 'ecdsa-p256 a.test,*.w.test http/1.1'],
  ['TLS 1.2 with ECDSA suites', { maxVersion: 'TLSv1.2' }, 'ecdsa-p256 a.test,*.w.test http/1.1'],
  [
    'TLS 1.2 without the curve of the certificate',
    { maxVersion: 'TLSv1.2', ecdhCurve: 'P-384' },
    'rsa-2048 a.test,*.w.test http/1.1',
  ],
  [
    'TLS 1.2 with RSA suites only',
    { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-RSA-AES256-GCM-SHA384' },
    'rsa-2048 a.test,*.w.test http/1.1',
  ],
  ['a name in capitals, below a wildcard', { servername: 'X.W.Test' }, 'ecdsa-p256 a.test,*.w.test http/1.1'],
] as const)
  test(what, async (t) => {
    const { port } = await served(t, dual, greet)
    assert.deepEqual(await ask(port, options as ConnectionOptions), { text: expected })
  })

test('an exact name goes ahead of a wildcard, also one of a better kind', async (t) => {
  const certificates = [await certificate('ecdsa-p256', '*.a.test'), await certificate('rsa-2048', 'x.a.test')]
  const { port } = await served(t, certificates, greet)
  assert.deepEqual(await ask(port, { servername: 'x.a.test' }), { text: 'rsa-2048 x.a.test http/1.1' })
  assert.deepEqual(await ask(port, { servername: 'y.a.test' }), { text: 'ecdsa-p256 *.a.test http/1.1' })
})

for (const [what, options, alert] of [
  ['an unknown name', { servername: 'other.test' }, 'ERR_SSL_TLSV1_UNRECOGNIZED_NAME'],
  ['a name two labels below a wildcard', { servername: 'x.y.w.test' }, 'ERR_SSL_TLSV1_UNRECOGNIZED_NAME'],
  ['no name', { servername: '' }, 'ERR_SSL_TLSV1_UNRECOGNIZED_NAME'],
  ['no protocol of ours', { ALPNProtocols: ['spdy/3'] }, 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL'],
  ['acme-tls/1 without a challenge', { ALPNProtocols: ['acme-tls/1'] }, 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL'],
  [
    'TLS 1.1',
    { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' },
    'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION',
  ],
] as const)
  test(`${what}: an alert, and no certificate`, async (t) => {
    const { port, log } = await served(t, dual, greet)
    assert.deepEqual(await ask(port, options as ConnectionOptions), { error: alert })
    assert.deepEqual(
      log.entries.filter(({ level }) => level !== 'debug'),
      [],
      'strangers do not fill the log',
    )
  })

test('a client that can verify nothing of ours gets handshake_failure', { skip: missing('openssl') }, async (t) => {
  const { port } = await served(t, [await certificate('rsa-2048', 'a.test')], greet)
  const { chain, output } = await sClient(port, ['-servername', 'a.test', '-sigalgs', 'ecdsa_secp256r1_sha256'])
  assert.equal(chain.length, 0)
  assert.match(output, /alert handshake failure/)
})

test('who names no server gets the fallback, or the address that it connected to', async (t) => {
  const address = await certificate('ecdsa-p256', '127.0.0.1')
  const first = await served(t, dual, greet, { fallback: 'a.test' })
  assert.deepEqual(await ask(first.port, { servername: '' }), { text: 'ecdsa-p256 a.test,*.w.test http/1.1' })
  const second = await served(t, [...dual, address], greet, { fallback: 'a.test' })
  assert.ok(isIP(address.names[0]!))
  assert.deepEqual(await ask(second.port, { servername: '' }), { text: 'ecdsa-p256 127.0.0.1 http/1.1' })
})

test('a name whose first certificate is not there yet: internal_error at once, and one line in the log', async (t) => {
  const waiting = [{ names: ['new.test', '*.new.test'], reason: 'it is being ordered from ca' }]
  const { port, log } = await served(t, dual, greet, { waiting })
  for (let times = 0; times < 3; times++)
    assert.deepEqual(await ask(port, { servername: 'new.test' }), { error: 'ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR' })
  await ask(port, { servername: 'x.new.test' })
  assert.deepEqual(
    log.of('handshake-waiting').map(({ message }) => message),
    [
      'A client asks for new.test, which has no certificate yet: it is being ordered from ca.',
      'A client asks for x.new.test, which has no certificate yet: it is being ordered from ca.',
    ],
  )
})

test('a certificate that is replaced serves new connections; the others keep theirs', async (t) => {
  const held: TlsConnection[] = []
  const server = await served(t, dual, (connection) => held.push(connection))
  const old = connect({ port: server.port, host: '127.0.0.1', ca, servername: 'a.test' })
  await once(old, 'secureConnect')
  const successor = { ...(await certificate('ecdsa-p256', 'a.test')), id: 'successor' }
  server.acceptor.update({ certificates: [successor], waiting: [], fallback: undefined })
  const fresh = connect({ port: server.port, host: '127.0.0.1', ca, servername: 'a.test' })
  await once(fresh, 'secureConnect')
  while (held.length < 2) await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(
    held.map(({ certificate: { id } }) => id),
    ['ecdsa-p256 a.test,*.w.test', 'successor'],
  )
  held[0]!.socket.end('still here')
  assert.equal(String((await once(old, 'data'))[0]), 'still here')
  fresh.destroy()
})

test('a certificate that OpenSSL does not take is an error by name, and another of the name is served', async (t) => {
  const [rsa, ecdsa] = dual
  const broken = { ...ecdsa!, privateKey: rsa!.privateKey }
  const garbage = { ...ecdsa!, id: 'garbage', chain: 'no certificate' }
  const { port, log } = await served(t, [broken, garbage, rsa!], greet)
  assert.deepEqual(await ask(port), { text: 'rsa-2048 a.test,*.w.test http/1.1' })
  const errors = log.of('certificate-unusable')
  assert.equal(errors.length, 2)
  for (const { message } of errors) assert.match(message, /^A certificate for a\.test, \*\.w\.test cannot be used: /)
  assert.doesNotMatch(JSON.stringify(log.entries), /PRIVATE KEY/)
})

test('tls-alpn-01: the challenge certificate, acme-tls/1, and nothing after it (RFC 8737 §3)', async (t) => {
  const server = await served(t, dual, greet)
  const made = await createTlsAlpnCertificate({ name: 'v.test', keyAuthorization: 't.k', now: Date.now() })
  const challenge = { type: 'tls-alpn-01', serverName: 'v.test', ...made } as const
  server.acceptor.publishChallenge(challenge)
  const options = { port: server.port, host: '127.0.0.1', servername: 'v.test', rejectUnauthorized: false }
  const socket = connect({ ...options, ALPNProtocols: ['acme-tls/1'] })
  await once(socket, 'secureConnect')
  assert.equal(socket.alpnProtocol, 'acme-tls/1')
  assert.match(socket.getPeerCertificate().subjectaltname ?? '', /^DNS:v\.test$/)
  socket.write('GET / HTTP/1.1\r\nHost: v.test\r\n\r\n')
  socket.resume()
  await once(socket, 'close')
  const unasked = { error: 'ERR_SSL_TLSV1_UNRECOGNIZED_NAME' }
  assert.deepEqual(await ask(server.port, { servername: 'v.test', ALPNProtocols: ['h2'] }), unasked)
  server.acceptor.withdrawChallenge(challenge)
  const refused = { error: 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL' }
  assert.deepEqual(await ask(server.port, { servername: 'v.test', ALPNProtocols: ['acme-tls/1'] }), refused)
})

for (const [how, reshape] of [
  ['byte by byte', (first: Buffer) => Array.from(first, (byte) => Buffer.from([byte]))],
  ['over two records', (first: Buffer) => [record(first.subarray(5, 200)), record(first.subarray(200))]],
  [
    'over records of 100 bytes, in one segment',
    (first: Buffer) => [Buffer.concat(chop(first.subarray(5), 100).map((piece) => record(piece)))],
  ],
] as const)
  test(`a post-quantum hello that arrives ${how} leads to a connection`, async (t) => {
    const { port } = await served(t, dual, greet)
    let size = 0
    const proxy = await reshapingProxy(port, (first) => {
      size = first.length
      return reshape(first)
    })
    t.after(() => proxy.close())
    assert.deepEqual(await ask(proxy.port), { text: 'ecdsa-p256 a.test,*.w.test http/1.1' })
    assert.ok(size > 1_500, `${size} bytes`)
  })

function chop(bytes: Buffer, size: number): Buffer[] {
  const pieces: Buffer[] = []
  for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size))
  return pieces
}

test('key exchange is post-quantum', async (t) => {
  const { port } = await served(t, dual, greet)
  assert.deepEqual(await ask(port, { ecdhCurve: 'X25519MLKEM768' }), { text: 'ecdsa-p256 a.test,*.w.test http/1.1' })
})

async function closedAfter(socket: Socket): Promise<number> {
  const started = performance.now()
  // Not once(), which rejects on the error that a reset is: closed is closed.
  socket.on('error', () => {})
  await new Promise((resolve) => socket.resume().once('close', resolve))
  return performance.now() - started
}

test('a hello that never ends, or never begins, is closed in time', async (t) => {
  const { port } = await served(t, dual, greet, { helloTimeoutMs: 200 })
  for (const bytes of ['', '\x16', '\x16\x03\x01\x02\x00\x01\x00\x01']) {
    const socket = connectTcp(port, '127.0.0.1')
    if (bytes !== '') socket.write(bytes, 'latin1')
    const ms = await closedAfter(socket)
    assert.ok(ms > 150 && ms < 2_000, `${ms} ms`)
  }
})

test('a byte now and then does not prolong the time for the hello', async (t) => {
  const { port } = await served(t, dual, greet, { helloTimeoutMs: 300 })
  const socket = connectTcp(port, '127.0.0.1')
  socket.write('\x16\x03\x01\x02\x00', 'latin1')
  const drip = setInterval(() => socket.write('\x01'), 50)
  t.after(() => clearInterval(drip))
  const ms = await closedAfter(socket)
  assert.ok(ms < 2_000, `${ms} ms`)
})

test('a handshake that stops after the hello is closed in time', async (t) => {
  const certificates = [await certificate('ecdsa-p256', 'app.example.com')]
  const server = await served(t, certificates, greet, { handshakeTimeoutMs: 300 })
  const socket = connectTcp(server.port, '127.0.0.1')
  socket.write(await captureNode({}))
  const ms = await closedAfter(socket)
  assert.ok(ms > 200 && ms < 3_000, `${ms} ms`)
  assert.match(server.log.of('handshake-failed')[0]!.message, /no handshake within 300 ms/)
})

test('plain HTTP on this port is told to use https', async (t) => {
  const { port } = await served(t, dual, greet)
  const socket = connectTcp(port, '127.0.0.1')
  socket.write('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n')
  let answer = ''
  for await (const piece of socket) answer += piece
  assert.match(answer, /^HTTP\/1\.1 400 Bad Request\r\n[\s\S]*https:\/\//)
})

test('unfinished handshakes are bounded: the oldest make room', async (t) => {
  const { port, sockets, log } = await served(t, dual, greet)
  const idle = Array.from({ length: 1_100 }, () => connectTcp(port, '127.0.0.1').on('error', () => {}))
  t.after(() => {
    for (const socket of idle) socket.destroy()
  })
  const giveUp = Date.now() + 10_000
  while (log.of('handshake-failed').length < 76 && Date.now() < giveUp)
    await new Promise((resolve) => setTimeout(resolve, 20))
  assert.ok(sockets.size <= 1_100 && log.of('handshake-failed').length >= 76)
  assert.deepEqual(await ask(port), { text: 'ecdsa-p256 a.test,*.w.test http/1.1' })
})

test('garbage after the handshake costs that connection only', async (t) => {
  const { port, sockets } = await served(t, dual, ({ socket }) => {
    socket.resume()
  })
  const raw = connectTcp(port, '127.0.0.1')
  const client = connect({ socket: raw, ca, servername: 'a.test' })
  client.on('error', () => {})
  await once(client, 'secureConnect')
  raw.write(Buffer.from('17030300050000000000', 'hex'))
  const giveUp = Date.now() + 3_000
  while (sockets.size > 0 && Date.now() < giveUp) await new Promise((resolve) => setTimeout(resolve, 10))
  assert.equal(sockets.size, 0)
})

test('node:http and node:http2 can serve the connections', async (t) => {
  const http = createHttpServer((request, response) => {
    response.end(`1 ${request.url}`)
  })
  const { port } = await served(t, dual, ({ socket, protocol }) => {
    if (protocol === 'http/1.1') http.emit('connection', socket)
    else
      performServerHandshake(socket).on('stream', (stream, headers) => {
        stream.respond({ ':status': 200 })
        stream.end(`2 ${headers[':path']}`)
      })
  })
  // The request is sent with the Finished message, before the server has been heard to be ready.
  const socket = connect({ port, host: '127.0.0.1', ca, servername: 'a.test' })
  socket.write('GET /early HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n')
  let answer = ''
  for await (const piece of socket) answer += piece
  assert.match(answer, /1 \/early$/)
  const session = connectHttp2(`https://a.test:${port}`, {
    ca,
    createConnection: () => connect({ port, host: '127.0.0.1', ca, servername: 'a.test', ALPNProtocols: ['h2'] }),
  })
  const stream = session.request({ ':path': '/two' })
  stream.setEncoding('utf8')
  assert.equal((await once(stream, 'data'))[0], '2 /two')
  session.close()
})
