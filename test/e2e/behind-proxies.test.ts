import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { connect, createServer as createTcpServer } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { missing } from '../programs.ts'
import { Castellan, freePort, makePlace } from './castellan.ts'
import { curl } from './curl.ts'

const skip = missing('curl')

type Scene = { readonly castellan: Castellan; readonly https: string; readonly http: string; readonly root: string }

/** A program with one app, which answers with what it was told of its client. */
async function scene(t: TestContext, listen: string): Promise<Scene> {
  const app = createServer(({ headers }, response) => {
    const told = ['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'x-real-ip']
    response.end(told.map((name) => headers[name] ?? '-').join(' '))
  })
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve))
  const place = await makePlace()
  const [httpsPort, httpPort] = [await freePort(), await freePort()]
  const config = `storage: ./data
listen: { https: "127.0.0.1:${httpsPort}", http: "127.0.0.1:${httpPort}", ${listen} }
log: { format: json, level: debug }
workers: 1
sites: { localhost: { upstream: "http://127.0.0.1:${(app.address() as { port: number }).port}", hsts: on } }
`
  await writeFile(join(place.folder, 'castellan.yaml'), config)
  const castellan = new Castellan(place.folder)
  t.after(async () => {
    await castellan.stop()
    app.close()
    await place.remove()
  })
  await castellan.until('certificate-issued', 2)
  await castellan.until('serving')
  return {
    castellan,
    https: `https://localhost:${httpsPort}/`,
    http: `http://localhost:${httpPort}/`,
    root: join(place.folder, 'data/issuers/internal/root.crt'),
  }
}

/** A load balancer that passes on what it gets, and says in front that it is from 203.0.113.9. */
async function balancer(t: TestContext, url: string): Promise<number> {
  const target = { host: '127.0.0.1', port: Number(new URL(url).port) }
  const server = createTcpServer((client) => {
    const upstream = connect(target).on('error', () => client.destroy())
    client.on('error', () => upstream.destroy())
    upstream.write(`PROXY TCP4 203.0.113.9 192.0.2.2 4711 ${target.port}\r\n`)
    client.pipe(upstream).pipe(client)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  return (server.address() as { port: number }).port
}

test('a load balancer tells the client by the PROXY protocol, and is refused without', { skip }, async (t) => {
  const { castellan, https, http, root } = await scene(t, 'proxyProtocol: { from: 127.0.0.1 }')
  const through = async (url: string): Promise<string[]> => [
    '--connect-to',
    `::127.0.0.1:${await balancer(t, url)}`,
    url,
  ]
  const { output } = await curl('--cacert', root, ...(await through(https)))
  assert.match(output, /203\.0\.113\.9 https localhost:\d+ -$/)
  const [access] = await castellan.until('request')
  assert.equal(access!.client, '203.0.113.9')
  assert.match((await curl(...(await through(http)))).output, /^HTTP\/1\.1 308 /)
  assert.notEqual((await curl('--cacert', root, https)).exitCode, 0)
  const [refusal] = await castellan.until('connection-refused')
  assert.equal(refusal!.message, 'The PROXY header from 127.0.0.1 is not usable: there is none.')
})

test('a proxy that ends TLS itself is believed, and nobody else', { skip }, async (t) => {
  const claims = ['X-Forwarded-For: 198.51.100.1, 203.0.113.9', 'X-Forwarded-Proto: https', 'X-Real-IP: 203.0.113.9']
  const headers = claims.flatMap((claim) => ['-H', claim])
  const trusting = await scene(t, 'trustedProxies: [127.0.0.0/8]')
  const { output } = await curl(...headers, trusting.http)
  assert.match(output, /^Strict-Transport-Security: max-age=5184000\r$/m)
  assert.match(output, /203\.0\.113\.9, 127\.0\.0\.1 https localhost:\d+ 203\.0\.113\.9$/)
  assert.equal((await trusting.castellan.until('request'))[0]!.client, '203.0.113.9')
  assert.match((await curl(trusting.http)).output, /^HTTP\/1\.1 308 /)
  const wary = await scene(t, 'trustedProxies: [192.0.2.0/24]')
  assert.match((await curl(...headers, wary.http)).output, /^HTTP\/1\.1 308 /)
  const direct = await curl(...headers, '--cacert', wary.root, wary.https)
  assert.match(direct.output, /127\.0\.0\.1 https localhost:\d+ -$/)
})
