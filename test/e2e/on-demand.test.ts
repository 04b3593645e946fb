import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { connect } from 'node:tls'
import { missing } from '../programs.ts'
import { Castellan, makePlace, type Place } from './castellan.ts'
import { curl } from './curl.ts'
import { type Pebble, startPebble } from './peers/pebble.ts'

// Names that no site lists: the program, Let's Encrypt's test server, a program that is asked, and curl.

const skip = missing('pebble') || missing('pebble-challtestsrv') || missing('curl')

async function serveHttp(t: TestContext, onRequest: RequestListener): Promise<number> {
  const server: Server = createServer(onRequest)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

type Scene = {
  readonly place: Place
  readonly pebble: Pebble
  /** What was asked, as path and query. */
  readonly asked: string[]
  readonly root: string
  start(): Castellan
}

/** Everything but the program, which lets in what `mayHave` says. */
async function scene(
  t: TestContext,
  mayHave: (name: string) => number,
  { onDemand = '', site = '' }: { onDemand?: string; site?: string } = {},
): Promise<Scene> {
  const place = await makePlace()
  t.after(() => place.remove())
  const pebble = await startPebble({ httpPort: place.httpPort, tlsPort: place.httpsPort, nonceReject: 0 })
  t.after(() => pebble.stop())
  const asked: string[] = []
  const ask = await serveHttp(t, (request, response) => {
    asked.push(request.url!)
    response.statusCode = mayHave(new URL(request.url!, 'http://x').searchParams.get('name')!)
    response.end()
  })
  const app = await serveHttp(t, (request, response) => response.end(`app for ${request.headers.host}\n`))
  await place.configure(`acceptTerms: true
issuers: { pebble: { directory: "${pebble.directory}", trust: "${pebble.trust}" } }
limits: { connectionsPerAddress: 2000 }
defaults: { issuer: pebble, certificate: { keys: ecdsa-p256 } }
sites:
  listed.test: http://127.0.0.1:${app}
  "*": { upstream: "http://127.0.0.1:${app}", onDemand: { ask: "http://127.0.0.1:${ask}/may-i?key=k", ${onDemand} }${site} }
`)
  const root = join(place.folder, 'root.pem')
  await writeFile(root, await pebble.rootPem())
  const start = (): Castellan => {
    const castellan = new Castellan(place.folder)
    t.after(() => castellan.stop())
    return castellan
  }
  return { place, pebble, asked, root, start }
}

/** What a visitor gets at a name, over HTTPS with the CA's root alone. */
function visit({ place, root }: Scene, name: string, path = '/') {
  return curl('--cacert', root, `https://${name}:${place.httpsPort}${path}`)
}

test('the first visit to a new name waits for its certificate; a restart, and each visit after it, asks nobody', {
  skip,
}, async (t) => {
  const it = await scene(t, (name) => (name === 'shop.customer.test' ? 200 : 403))
  const castellan = it.start()
  await castellan.until('certificate-issued')
  await castellan.until('serving')
  const first = await visit(it, 'shop.customer.test')
  assert.match(first.output, /^HTTP\/[\s\S]* 200[\s\S]*app for shop\.customer\.test/)
  assert.match((await visit(it, 'shop.customer.test', '/again')).output, / 200/)
  assert.deepEqual(it.asked, ['/may-i?key=k&name=shop.customer.test&address=127.0.0.1'])

  // Port 80 leads to HTTPS, without a question.
  const plain = await curl(`http://shop.customer.test:${it.place.httpPort}/x?y`)
  assert.match(plain.output, /^HTTP\/1\.1 308[\s\S]*location: https:\/\/shop\.customer\.test:\d+\/x\?y/i)

  const refused = await visit(it, 'other.customer.test')
  assert.equal(refused.exitCode, 35, refused.output)
  assert.match(refused.output, /unrecognized name/i)
  assert.equal((await visit(it, 'other.customer.test')).exitCode, 35)
  assert.equal(it.asked.length, 2)
  assert.match((await visit(it, 'listed.test')).output, /app for listed\.test/)

  assert.equal(await castellan.stop(), 0)
  const again = it.start()
  await again.until('serving')
  assert.match((await visit(it, 'shop.customer.test')).output, / 200/)
  assert.equal(it.asked.length, 2)
  assert.deepEqual(again.of('certificate-requested'), [])

  const list = new Castellan(it.place.folder, ['certs', 'list'])
  await list.exited
  assert.match(
    list.text,
    /listed\.test[\s\S]*\nOn demand: 1 name, 1 of them in use; "castellan certs show NAME" tells of one\.\n$/,
  )
  assert.doesNotMatch(list.text, /shop\.customer\.test/)
  const show = new Castellan(it.place.folder, ['certs', 'show', 'shop.customer.test'])
  assert.equal((await show.exited).code, 0)
  assert.match(show.text, /names +shop\.customer\.test\n[\s\S]*next step +renew at/)
  assert.equal(await again.stop(), 0)

  for (const args of [['list'], ['show', 'shop.customer.test']]) {
    const atRest = new Castellan(it.place.folder, ['certs', ...args])
    assert.equal((await atRest.exited).code, 0)
    assert.match(atRest.text, args[0] === 'list' ? /\nOn demand: 1 name; / : /names +shop\.customer\.test/)
  }
})

test('a thousand handshakes at once for a new name: one question, one order, everybody is served', {
  skip,
}, async (t) => {
  const it = await scene(t, () => 200, { onDemand: 'waiting: 1000' })
  const castellan = it.start()
  await castellan.until('certificate-issued')
  await castellan.until('serving')
  const outcomes = await Promise.all(
    Array.from({ length: 1000 }, () => shake(it.place.httpsPort, 'crowd.customer.test')),
  )
  assert.deepEqual([...new Set(outcomes)], ['crowd.customer.test'])
  assert.equal(it.asked.length, 1)
  assert.equal(castellan.of('certificate-requested').length, 2)
})

test('a flood of invented names from one address: few questions, no order, and others are served meanwhile', {
  skip,
}, async (t) => {
  const it = await scene(t, (name) => (name === 'good.customer.test' ? 200 : 404), {
    onDemand: 'perHour: { namesPerAddress: 5 }',
  })
  const castellan = it.start()
  await castellan.until('certificate-issued')
  await castellan.until('serving')
  assert.match((await visit(it, 'good.customer.test')).output, / 200/)
  const outcomes = await Promise.all(
    Array.from({ length: 300 }, (_, index) => shake(it.place.httpsPort, `x${index}.invented.test`)),
  )
  assert.deepEqual(
    outcomes.filter((outcome) => !outcome.startsWith('ERR_SSL')),
    [],
  )
  assert.equal(it.asked.length, 5)
  assert.match((await visit(it, 'good.customer.test')).output, / 200/)
  assert.equal(castellan.of('certificate-requested').length, 2)
  assert.equal(castellan.of('on-demand-limit').length, 1)
})

/** The name that a certificate is shown for, or the error. */
function shake(port: number, servername: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', servername, rejectUnauthorized: false }, () => {
      resolve(String(socket.getPeerX509Certificate()?.subjectAltName?.replace('DNS:', '')))
      socket.destroy()
    })
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
  })
}
