import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import {
  connect as connectHttp2,
  createSecureServer as createHttp2Server,
  type IncomingHttpHeaders,
  performServerHandshake,
  type ServerHttp2Stream,
} from 'node:http2'
import { connect as connectTcp, isIP } from 'node:net'
import { test } from 'node:test'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import type { TlsConnection } from '../../../src/edge/tls/acceptor.ts'
import type { TlsAlpnChallenge } from '../../../src/edge/tls/tls-alpn-challenges.ts'
import { createTlsAlpnCertificate } from '../../../src/pki/tls-alpn-certificate.ts'
import { clients, sClient } from '../../e2e/s-client.ts'
import { missing } from '../../programs.ts'
import { record } from '../client-hello/hello-bytes.ts'
import { ask, certificate, gatheringProxy, greet, reshapingProxy, rootPem, served, settled } from './served.ts'

const ca = await rootPem()
const [major = 0, minor = 0] = process.versions.openssl.split('.').map(Number)
const isPostQuantum = major > 3 || (major === 3 && minor >= 5)
const dual = await Promise.all([
  certificate('rsa-2048', 'a.test', '*.w.test'),
  certificate('ecdsa-p256', 'a.test', '*.w.test'),
])

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
      log.entries.filter(({ level, event }) => level !== 'debug' && event !== 'client-nameless'),
      [],
      'strangers do not fill the log',
    )
  })

test('that clients without a name are refused is said once', async (t) => {
  const { port, log } = await served(t, dual, greet)
  for (let times = 0; times < 3; times++) await ask(port, { servername: '' })
  assert.equal(log.of('client-nameless').length, 1)
  assert.match(log.of('client-nameless')[0]!.message, /127\.0\.0\.1 named no server .* "fallback"/)
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
  server.update([successor])
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

test('a name all of whose certificates are of no use is one without a certificate', async (t) => {
  const garbage = [{ ...dual[0]!, chain: 'no certificate' }]
  const unknown = await served(t, garbage, greet)
  assert.deepEqual(await ask(unknown.port), { error: 'ERR_SSL_TLSV1_UNRECOGNIZED_NAME' })
  const waiting = await served(t, garbage, greet, { waiting: [{ names: ['a.test'], reason: 'it is being ordered' }] })
  assert.deepEqual(await ask(waiting.port), { error: 'ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR' })
  assert.equal(waiting.log.of('handshake-waiting').length, 1)
})

for (const version of ['TLSv1.2', 'TLSv1.3'] as const)
  test(`a session is resumed by its own name, and not by a name of another certificate: ${version}`, async (t) => {
    const { port } = await served(t, [...dual, await certificate('ecdsa-p256', 'b.test')], ({ socket }) =>
      socket.end('x'),
    )
    const options = { port, host: '127.0.0.1', ca, minVersion: version, maxVersion: version }
    const first = connect({ ...options, servername: 'a.test' })
    let session: Buffer | undefined
    first.on('session', (ticket) => {
      session = ticket
    })
    await once(first.resume(), 'close')
    assert.ok(session !== undefined)
    for (const [servername, isReused] of [
      ['a.test', true],
      ['b.test', false],
    ] as const) {
      const second: TLSSocket = connect({ ...options, servername, session })
      await once(second, 'secureConnect')
      assert.equal(second.isSessionReused(), isReused, servername)
      second.destroy()
    }
  })

test('TLS 1.2 is not renegotiated', async (t) => {
  const { port } = await served(t, dual, ({ socket }) => socket.resume())
  const socket = connect({ port, host: '127.0.0.1', ca, servername: 'a.test', maxVersion: 'TLSv1.2' })
  await once(socket, 'secureConnect')
  socket.renegotiate({}, () => assert.fail('it was renegotiated'))
  const error = await new Promise<NodeJS.ErrnoException>((resolve) => socket.on('error', resolve))
  assert.equal(error.code, 'ERR_SSL_NO_RENEGOTIATION')
})

test('what only OpenSSL finds is told by an alert too', async (t) => {
  const { port, log } = await served(t, dual, greet)
  const options = { minVersion: 'TLSv1.3', ciphers: 'TLS_AES_128_CCM_SHA256' } as const
  assert.deepEqual(await ask(port, options), { error: 'ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE' })
  assert.deepEqual(
    log.of('handshake-failed').map(({ message }) => message),
    ['A TLS handshake failed: no shared cipher.'],
  )
})

async function challengeFor(name: string, keyAuthorization: string): Promise<TlsAlpnChallenge> {
  const made = await createTlsAlpnCertificate({ name, keyAuthorization, now: Date.now() })
  return { type: 'tls-alpn-01', serverName: name, ...made }
}

test('tls-alpn-01: the challenge certificate, acme-tls/1, and nothing after it (RFC 8737 §3)', async (t) => {
  const server = await served(t, dual, greet)
  const challenge = await challengeFor('v.test', 't.k')
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

test('a client of tls-alpn-01 that does not close is cut off (RFC 8737 §3)', async (t) => {
  const server = await served(t, dual, greet)
  server.acceptor.publishChallenge(await challengeFor('v.test', 't.k'))
  // The client's end of the connection stays open whatever the server says.
  const raw = connectTcp({ port: server.port, host: '127.0.0.1', allowHalfOpen: true })
  raw.end = () => raw
  t.after(() => raw.destroy())
  const options = { servername: 'v.test', rejectUnauthorized: false, ALPNProtocols: ['acme-tls/1'] }
  const client = connect({ socket: raw, ...options }).on('error', () => {})
  await once(client, 'secureConnect')
  assert.equal(server.sockets.size, 1)
  await settled(() => server.sockets.size === 0, 5_000)
})

test('of two challenges of a name the later one answers, also when the earlier one is withdrawn', async (t) => {
  const server = await served(t, dual, greet)
  const [earlier, later] = [await challengeFor('v.test', 't.1'), await challengeFor('v.test', 't.2')]
  server.acceptor.publishChallenge(earlier)
  server.acceptor.publishChallenge(later)
  server.acceptor.withdrawChallenge(earlier)
  const options = { servername: 'v.test', rejectUnauthorized: false, ALPNProtocols: ['acme-tls/1'] }
  const socket = connect({ port: server.port, host: '127.0.0.1', ...options })
  await once(socket, 'secureConnect')
  assert.equal(socket.getPeerX509Certificate()?.fingerprint, new X509Certificate(later.certificate).fingerprint)
  socket.destroy()
})

test('a challenge certificate that OpenSSL does not take is logged, and answers nobody', async (t) => {
  const { acceptor, log, port } = await served(t, dual, greet)
  const { privateKey } = dual[0]!
  acceptor.publishChallenge({ ...(await challengeFor('v.test', 't.k')), privateKey })
  const [entry] = log.of('challenge-unusable')
  assert.match(
    entry?.message ?? '',
    /^The certificate that answers the tls-alpn-01 challenge for v\.test cannot be used: /,
  )
  assert.doesNotMatch(JSON.stringify(log.entries), /PRIVATE KEY/)
  const refused = { error: 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL' }
  assert.deepEqual(await ask(port, { servername: 'v.test', ALPNProtocols: ['acme-tls/1'] }), refused)
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

test('key exchange is post-quantum', { skip: isPostQuantum ? false : 'needs OpenSSL 3.5' }, async (t) => {
  const { port } = await served(t, dual, greet)
  assert.deepEqual(await ask(port, { ecdhCurve: 'X25519MLKEM768' }), { text: 'ecdsa-p256 a.test,*.w.test http/1.1' })
})

test('what comes in one segment with the Finished message is served by node:http', async (t) => {
  const http = createHttpServer((request, response) => {
    response.end(`${request.method} ${request.url}`)
  })
  const { port } = await served(t, dual, ({ socket }) => {
    assert.deepEqual(
      [socket.encrypted, socket.alpnProtocol, socket.servername, socket.readableFlowing],
      [true, 'http/1.1', 'a.test', null],
    )
    http.emit('connection', socket)
  })
  const proxy = await gatheringProxy(port)
  t.after(() => proxy.close())
  const options = { port: proxy.port, host: '127.0.0.1', ca, servername: 'a.test', ALPNProtocols: ['http/1.1'] }
  const socket = connect(options)
  socket.write('GET /early HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n')
  let answer = ''
  for await (const piece of socket) answer += piece
  assert.match(answer, /GET \/early$/)
  assert.ok(proxy.gathered > 0, 'the segments were gathered')
})

type ServeHttp2 = (
  socket: TLSSocket,
  respond: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void,
) => void

const http2Servers: Record<string, ServeHttp2> = {
  'a session of its own': (socket, respond) => performServerHandshake(socket).on('stream', respond),
  createSecureServer: (socket, respond) => createHttp2Server().on('stream', respond).emit('secureConnection', socket),
}
for (const [what, serve] of Object.entries(http2Servers))
  test(`what comes in one segment with the Finished message is served by node:http2: ${what}`, async (t) => {
    const { port } = await served(t, dual, ({ socket, protocol }) => {
      assert.equal(protocol, 'h2')
      serve(socket, (stream, headers) => {
        stream.respond({ ':status': 200 })
        stream.end(`2 ${headers[':path']}`)
      })
    })
    const proxy = await gatheringProxy(port)
    t.after(() => proxy.close())
    const options = { port: proxy.port, host: '127.0.0.1', ca, servername: 'a.test', ALPNProtocols: ['h2'] }
    const session = connectHttp2('https://a.test', { createConnection: () => connect(options) })
    const stream = session.request({ ':path': '/two' })
    stream.setEncoding('utf8')
    assert.equal((await once(stream, 'data'))[0], '2 /two')
    assert.ok(proxy.gathered > 0, 'the segments were gathered')
    session.destroy()
  })
