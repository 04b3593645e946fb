import assert from 'node:assert/strict'
import { once } from 'node:events'
import http, { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { missing } from '../programs.ts'
import { Castellan, type LogLine, makePlace } from './castellan.ts'
import { startPebble } from './peers/pebble.ts'
import { sClient } from './s-client.ts'

const skip = missing('pebble') || missing('pebble-challtestsrv') || missing('openssl')

test('an order whose validation is under way when the config changes is neither lost nor made again', {
  skip,
}, async (t) => {
  const place = await makePlace({ access: 'off' })
  const validations: string[] = []
  const { promise: mayAnswer, resolve: answer } = Promise.withResolvers<void>()
  // It stands between the CA and the program, and keeps the CA waiting.
  const gateway = createServer(async ({ url: path, headers }, response) => {
    validations.push(String(headers.host))
    await mayAnswer
    http.get({ port: place.httpPort, host: '127.0.0.1', path, headers }, (from) => {
      response.writeHead(from.statusCode!, from.headers)
      from.pipe(response)
    })
  })
  await once(gateway.listen(0, '127.0.0.1'), 'listening')
  const { port } = gateway.address() as AddressInfo
  const pebble = await startPebble({ httpPort: port, tlsPort: place.httpsPort, nonceReject: 5, strict: true })
  const configure = (sites: string): Promise<void> =>
    place.configure(`workers: 1
acceptTerms: true
issuers: { pebble: { directory: "${pebble.directory}", trust: "${pebble.trust}", challenges: http-01 } }
defaults: { issuer: pebble, certificate: { keys: ecdsa-p256 } }
sites: { a.test: { redirectTo: "https://x.example" }${sites} }
`)
  await configure('')
  const castellan = new Castellan(place.folder)
  t.after(async () => {
    await castellan.stop('SIGINT')
    await pebble.stop()
    gateway.close()
    gateway.closeAllConnections()
    await place.remove()
  })
  await castellan.until('serving')
  while (!validations.some((host) => host.startsWith('a.test'))) await new Promise((resolve) => setTimeout(resolve, 10))
  await configure(', b.test: { redirectTo: "https://y.example" }')
  castellan.process.kill('SIGHUP')
  const [reloaded] = await castellan.until('reloaded')
  assert.match(
    reloaded!.message,
    /sites added: b\.test; certificates to be ordered: ecdsa-p256 for b\.test from pebble/,
  )
  answer()
  await castellan.until('certificate-issued', 2)
  const requested = castellan.of('certificate-requested').map(({ names }: LogLine) => String(names))
  assert.deepEqual(requested.sort(), ['a.test', 'b.test'])
  for (const name of ['a.test', 'b.test']) {
    const { chain } = await sClient(place.httpsPort, ['-servername', name])
    assert.ok(chain[0]?.checkHost(name), name)
  }
  assert.deepEqual([...castellan.of('certificate-failed'), ...castellan.of('worker-exited')], [])
})
