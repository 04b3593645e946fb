import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer as createTcpServer } from 'node:net'
import { type TestContext, test } from 'node:test'
import { createServer, type TlsOptions } from 'node:tls'
import type { UpstreamAddress, UpstreamSnapshot } from '../../../src/edge/snapshot.ts'
import { createCertificateAuthority, issueCertificate } from '../../../src/pki/certificate-authority.ts'
import { commonName, signCertificate } from '../../../src/pki/certificate-signing.ts'
import { exportPrivateKey, generateKey } from '../../../src/pki/keys.ts'
import { subjectAlternativeName } from '../../../src/pki/subject-names.ts'
import { exchangeBytes, serve, siteOf, upstreamOf } from '../serve.ts'

const GET = 'GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n'
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok'
const DAY_MS = 86_400_000

const authority = await createCertificateAuthority({ label: 'backend', now: Date.now() })
const root = authority.certificate.x509.toString()
const { publicKey, privateKey } = await generateKey('ecdsa-p256')
const key = exportPrivateKey(privateKey)

/** Signed by itself, as people make them for a backend. */
async function selfSigned(name: string, { hasNames = true } = {}): Promise<string> {
  const subject = commonName(name)
  const validity = { notBefore: Date.now() - DAY_MS, notAfter: Date.now() + DAY_MS }
  const extensions = hasNames ? [subjectAlternativeName([name], { critical: false })] : []
  return signCertificate({ issuer: subject, subject, publicKey, ...validity, extensions }, privateKey)
}

async function leaf(...names: string[]): Promise<string> {
  return issueCertificate(authority, { names, publicKey, now: Date.now(), lifetimeMs: DAY_MS })
}

/** An upstream with TLS, which says nothing but ok. */
async function secured(t: TestContext, options: TlsOptions) {
  const serverNames: unknown[] = []
  const server = createServer(options, (socket) => {
    serverNames.push(socket.servername)
    socket.on('error', () => {})
    socket.once('data', () => socket.end(OK))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return { port: (server.address() as AddressInfo).port, serverNames }
}

/** The answer of a proxy in front of it, and what its log says. */
async function ask(t: TestContext, address: UpstreamAddress, tls: Partial<UpstreamSnapshot['tls']> = {}) {
  const settings = { tls: { trust: undefined, serverName: undefined, verify: true, ...tls } }
  const proxy = await serve([siteOf(upstreamOf(address, settings))])
  t.after(() => proxy.close())
  const answer = await exchangeBytes(proxy.port, GET)
  return { status: answer.slice(9, 12), log: proxy.log.of('upstream-broken').map(({ message }) => message)[0] ?? '' }
}

test('an upstream is told goodbye before its connection closes (RFC 9112 §9.8)', async (t) => {
  // TLS 1.2 does not hide what is an alert (RFC 5246 §6.2.1).
  const { port } = await secured(t, { cert: await selfSigned('backend'), key, maxVersion: 'TLSv1.2' })
  const records: Buffer[] = []
  const closed = Promise.withResolvers<void>()
  const wire = createTcpServer((front) => {
    const behind = connect(port, '127.0.0.1')
    for (const socket of [front, behind]) socket.on('error', () => {})
    front.on('data', (bytes: Buffer) => {
      records.push(bytes)
      behind.write(bytes)
    })
    front.on('close', closed.resolve)
    behind.pipe(front)
  })
  wire.listen(0, '127.0.0.1')
  await once(wire, 'listening')
  t.after(() => wire.close())
  assert.equal((await ask(t, https((wire.address() as AddressInfo).port), { verify: false })).status, '200')
  await closed.promise
  const types: number[] = []
  const sent = Buffer.concat(records)
  for (let at = 0; at < sent.length; at += 5 + sent.readUInt16BE(at + 3)) types.push(sent[at]!)
  assert.equal(types.at(-1), 0x15, types.join())
})

const https = (port: number, host = '127.0.0.1'): UpstreamAddress => ({ scheme: 'https', host, port })

test('a certificate of an authority that upstream.tls.trust has is taken, for the name that serverName has', async (t) => {
  const { port, serverNames } = await secured(t, { cert: await leaf('backend.internal'), key })
  const { status } = await ask(t, https(port), { trust: root, serverName: 'backend.internal' })
  assert.equal(status, '200')
  assert.deepEqual(serverNames, ['backend.internal'])
})

test('the upstream’s own certificate may be trusted, whoever signed it', async (t) => {
  const own = await leaf('backend.internal')
  const { port } = await secured(t, { cert: own, key })
  assert.equal((await ask(t, https(port), { trust: own, serverName: 'backend.internal' })).status, '200')
  const self = await selfSigned('backend')
  const other = await secured(t, { cert: self, key })
  assert.equal((await ask(t, https(other.port), { trust: self, serverName: 'backend' })).status, '200')
})

test('an address is verified by the addresses of the certificate, and is no server name (RFC 6066 §3)', async (t) => {
  const { port, serverNames } = await secured(t, { cert: await leaf('127.0.0.1'), key })
  assert.equal((await ask(t, https(port), { trust: root })).status, '200')
  assert.deepEqual(serverNames, [false])
})

test('what one upstream trusts, another does not', async (t) => {
  const { port } = await secured(t, { cert: await leaf('127.0.0.1'), key })
  const trusting = siteOf(upstreamOf(https(port), { tls: { trust: root, serverName: undefined, verify: true } }))
  const other = siteOf(https(port), { name: 'b.test', names: ['b.test'] })
  const proxy = await serve([trusting, other])
  t.after(() => proxy.close())
  assert.match(await exchangeBytes(proxy.port, GET), /^HTTP\/1\.1 200 /)
  assert.match(await exchangeBytes(proxy.port, GET.replace('a.test', 'b.test')), /^HTTP\/1\.1 502 /)
})

test('a self-signed certificate is refused with the remedy, unless nothing is verified', async (t) => {
  const { port } = await secured(t, { cert: await selfSigned('127.0.0.1'), key })
  const { status, log } = await ask(t, https(port))
  assert.equal(status, '502')
  assert.match(
    log,
    /cannot be used: its certificate is self-signed: give its certificate as upstream\.tls\.trust, or ver/,
  )
  assert.equal((await ask(t, https(port), { verify: false })).status, '200')
})

for (const [name, chain, words] of [
  [
    'an authority that nobody knows, which it does not send',
    await leaf('127.0.0.1'),
    /from an authority that is not known/,
  ],
  [
    'an authority that nobody knows, which it sends',
    `${await leaf('127.0.0.1')}${root}`,
    /from an authority that is not t/,
  ],
] as const)
  test(`a certificate of ${name} is refused with the remedy`, async (t) => {
    const { port } = await secured(t, { cert: chain, key })
    const { status, log } = await ask(t, https(port))
    assert.equal(status, '502')
    assert.match(log, words)
    assert.match(
      log,
      /give the certificate of (its|that) authority as upstream\.tls\.trust, or verify: false \([A-Z_]+\)\.$/,
    )
  })

test('a certificate of another name is refused, and its names are said', async (t) => {
  const { port } = await secured(t, { cert: await leaf('one.test', 'two.test'), key })
  const { status, log } = await ask(t, https(port, 'localhost'), { trust: root })
  assert.equal(status, '502')
  assert.match(
    log,
    /its certificate is for one\.test, two\.test, not for localhost: give a name that it has as upstream\.tls\.serverName/,
  )
})

test('a certificate that names nobody is refused', async (t) => {
  const self = await selfSigned('backend', { hasNames: false })
  const { port } = await secured(t, { cert: self, key })
  const { status, log } = await ask(t, https(port), { trust: self })
  assert.equal(status, '502')
  assert.match(log, /its certificate is for no name at all, not for 127\.0\.0\.1/)
})

test('a certificate of an authority in the place of a server’s is refused', async (t) => {
  const { port } = await secured(t, { cert: root, key: exportPrivateKey(authority.privateKey) })
  assert.match((await ask(t, https(port), { trust: root })).log, /its certificate is not meant for servers/)
})

test('a certificate that has expired is refused, and one that is not valid yet', async (t) => {
  for (const [now, words] of [
    [Date.now() - 3 * DAY_MS, /has expired: renew it there, or verify: false \(CERT_HAS_EXPIRED\)\.$/],
    [Date.now() + 3 * DAY_MS, /is not valid yet: compare the clocks of both machines.*\(CERT_NOT_YET_VALID\)\.$/],
  ] as const) {
    const cert = await issueCertificate(authority, { names: ['127.0.0.1'], publicKey, now, lifetimeMs: DAY_MS })
    const { port } = await secured(t, { cert, key })
    const { status, log } = await ask(t, https(port), { trust: root })
    assert.equal(status, '502')
    assert.match(log, words)
  }
})

test('https:// to a port without TLS, and http:// to one with it, are told so', async (t) => {
  const plain = createTcpServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n'))
  })
  plain.listen(0, '127.0.0.1')
  await once(plain, 'listening')
  t.after(() => plain.close())
  const plainPort = (plain.address() as AddressInfo).port
  const { log } = await ask(t, https(plainPort))
  assert.match(log, new RegExp(`what it answers is not TLS: try http://127\\.0\\.0\\.1:${plainPort} \\(ERR_SSL_`))

  const { port } = await secured(t, { cert: await leaf('127.0.0.1'), key })
  const reverse = await ask(t, { scheme: 'http', host: '127.0.0.1', port })
  assert.equal(reverse.status, '502')
  assert.match(reverse.log, new RegExp(`\\(does it speak HTTPS\\? try https://127\\.0\\.0\\.1:${port}\\)\\.$`))
})

test('an alert of TLS in answer to http:// is known for what it is', async (t) => {
  const server = createTcpServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => socket.end(Buffer.from('15030100020246', 'hex')))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const { port } = server.address() as AddressInfo
  const { status, log } = await ask(t, { scheme: 'http', host: '127.0.0.1', port })
  assert.equal(status, '502')
  assert.match(log, /it answered with an alert of TLS \(does it speak HTTPS\? try https:/)
})

test('Node’s advice on its own command line reaches nobody', async (t) => {
  const { port } = await secured(t, {
    cert: await leaf('127.0.0.1'),
    key,
    maxVersion: 'TLSv1.2',
    ciphers: 'AES128-SHA',
  })
  const weak = await ask(t, https(port))
  const { port: unknown } = await secured(t, { cert: await leaf('127.0.0.1'), key })
  for (const { status, log } of [weak, await ask(t, https(unknown))]) {
    assert.equal(status, '502')
    assert.ok(log.length > 0)
    assert.doesNotMatch(log, /--|node/i)
  }
  assert.match(weak.log, /TLS with it failed: .*handshake failure/)
})
