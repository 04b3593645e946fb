import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer as createHttpServer } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { getCACertificates, setDefaultCACertificates, type TLSSocket } from 'node:tls'
import type { UpstreamAddress } from '../../../src/edge/snapshot.ts'
import { Dialer } from '../../../src/edge/upstream/dial.ts'
import { lookupUpstream } from '../../../src/edge/upstream/names.ts'
import { TrustContexts } from '../../../src/edge/upstream/trust.ts'
import { exchangeBytes, peerOf, serve, siteOf } from '../serve.ts'
import { certificate, rootPem } from '../tls/served.ts'

const GET = 'GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n'

async function ask(t: TestContext, address: UpstreamAddress, times = 1) {
  const proxy = await serve([siteOf(address)])
  t.after(() => proxy.close())
  const answers = []
  for (let index = 0; index < times; index++) answers.push(await exchangeBytes(proxy.port, GET))
  return { answers, log: proxy.log }
}

async function httpsUpstream(t: TestContext, name: string) {
  const { chain, privateKey } = await certificate('ecdsa-p256', name)
  const names: unknown[] = []
  const server = createHttpsServer({ cert: chain, key: privateKey, keepAlive: false }, (request, response) => {
    const socket = request.socket as TLSSocket & { servername?: string }
    names.push(socket.servername)
    response.shouldKeepAlive = false
    response.end(socket.isSessionReused() ? 'resumed' : 'fresh')
  })
  await new Promise<void>((resolve) => server.listen(0, resolve))
  t.after(() => server.close())
  return { port: (server.address() as AddressInfo).port, names }
}

test('an upstream with TLS is verified by its name, and resumes (RFC 8446 §2.2)', async (t) => {
  const trusted = getCACertificates('default')
  setDefaultCACertificates([...trusted, await rootPem()])
  t.after(() => setDefaultCACertificates(trusted))
  const { port, names } = await httpsUpstream(t, 'localhost')
  const { answers } = await ask(t, { scheme: 'https', host: 'localhost', port }, 2)
  assert.match(answers[0]!, /fresh$/)
  assert.match(answers[1]!, /resumed$/)
  assert.deepEqual(names, ['localhost', 'localhost'])
})

test('an upstream whose certificate nobody vouches for is a 502', async (t) => {
  const { port } = await httpsUpstream(t, 'localhost')
  const { answers, log } = await ask(t, { scheme: 'https', host: 'localhost', port })
  assert.match(answers[0]!, /^HTTP\/1\.1 502 /)
  assert.match(log.of('upstream-broken')[0]!.message, /cannot be used: .*certificate/)
})

test('an upstream with a certificate of another name is a 502', async (t) => {
  const trusted = getCACertificates('default')
  setDefaultCACertificates([...trusted, await rootPem()])
  t.after(() => setDefaultCACertificates(trusted))
  const { port } = await httpsUpstream(t, 'other.test')
  const { answers, log } = await ask(t, { scheme: 'https', host: 'localhost', port })
  assert.match(answers[0]!, /^HTTP\/1\.1 502 /)
  assert.match(log.of('upstream-broken')[0]!.message, /other\.test/)
})

test('an upstream on a Unix socket', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'castellan-'))
  const path = join(folder, 'app.sock')
  const server = createHttpServer((_request, response) => {
    response.end('through a file')
  })
  await new Promise<void>((resolve) => server.listen(path, resolve))
  t.after(async () => {
    server.close()
    server.closeAllConnections()
    await rm(folder, { recursive: true })
  })
  assert.match((await ask(t, { scheme: 'unix', path })).answers[0]!, /through a file$/)
})

test('a Unix socket that is not there is a 502 that the log explains', async (t) => {
  const { answers, log } = await ask(t, { scheme: 'unix', path: '/nowhere/app.sock' })
  assert.match(answers[0]!, /^HTTP\/1\.1 502 /)
  assert.match(log.of('upstream-unreachable')[0]!.message, /there is no such socket \(ENOENT\)/)
})

test('a name with an address where nothing listens is reached at its other one', async (t) => {
  // localhost is ::1 as well on most machines, where this upstream is not.
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  const { port } = server.address() as AddressInfo
  assert.match((await ask(t, { scheme: 'http', host: 'localhost', port })).answers[0]!, /ok$/)
})

const TCP_TABLE = '/proc/net/tcp'
const skip = existsSync(TCP_TABLE) ? false : `needs ${TCP_TABLE}`

/** What the system waits for on a connection from this machine to a port of it: `02` is to ask whether it still lives. */
async function timerOfConnectionTo(port: number): Promise<string | undefined> {
  const hex = port.toString(16).padStart(4, '0').toUpperCase()
  const rows = (await readFile(TCP_TABLE, 'utf8')).split('\n').map((row) => row.trim().split(/\s+/))
  // Address and port here, those there, the state (01 is established), queues, and the timer with its time.
  return rows.find((row) => row[2]?.endsWith(`:${hex}`) && row[3] === '01')?.[5]?.slice(0, 2)
}

for (const [name, { scheme, header }] of Object.entries({
  'clear text': { scheme: 'http', header: undefined },
  TLS: { scheme: 'https', header: undefined },
  'TLS after a PROXY header': { scheme: 'https', header: Buffer.from('PROXY UNKNOWN\r\n') },
} as const))
  test(`an upstream that is silent is asked whether it still lives: ${name}`, { skip }, async (t) => {
    const server = createServer((socket) => socket.on('error', () => {}))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const upstream = peerOf({ scheme, host: '127.0.0.1', port })
    const socket = new Dialer(upstream, new TrustContexts(), lookupUpstream).dial({ header })
    t.after(() => {
      socket.destroy()
      server.close()
    })
    socket.on('error', () => {})
    // What has been sent is acknowledged first, and that has a timer of its own.
    while ((await timerOfConnectionTo(port)) !== '02') await new Promise((resolve) => setTimeout(resolve, 5))
  })
