import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { missing } from '../programs.ts'
import { Castellan, freePort, makePlace, type Place } from './castellan.ts'
import { curl } from './curl.ts'

type Line = Record<string, unknown>

type Running = { readonly place: Place; readonly metricsPort: number; readonly appPort: number }

async function run(t: TestContext): Promise<Running> {
  const app = createServer((_request, response) => void response.end('ok'))
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve))
  const appPort = (app.address() as { port: number }).port
  const place = await makePlace({ access: '{ file: ./access.log, format: json }' })
  const [metricsPort, nowhere] = [await freePort(), await freePort()]
  await place.configure(`metrics: 127.0.0.1:${metricsPort}
workers: 1
sites:
  localhost: { upstream: "http://127.0.0.1:${appPort}", redirect: false }
  gone.test: { upstream: "http://127.0.0.1:${nowhere}", redirect: false }
`)
  const castellan = new Castellan(place.folder)
  t.after(async () => {
    await castellan.stop()
    app.close()
    await place.remove()
  })
  await castellan.until('certificate-issued', 4)
  await castellan.until('serving')
  return { place, metricsPort, appPort }
}

/** The file, once it has so many lines. */
async function linesOf({ folder }: Place, count: number): Promise<{ text: string; lines: Line[] }> {
  const giveUp = Date.now() + 10_000
  for (;;) {
    const text = await readFile(join(folder, 'access.log'), 'latin1').catch(() => '')
    const lines = text.split('\n').slice(0, -1)
    if (lines.length >= count) return { text, lines: lines.map((line) => JSON.parse(line) as Line) }
    if (Date.now() > giveUp) throw new Error(`there are not ${count} lines in: ${text}`)
    await wait(20)
  }
}

/** Sends bytes to the port of HTTP, and waits until it closes. */
function say(port: number, bytes: string): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes, 'latin1'))
    socket.on('error', () => {})
    socket.resume()
    socket.once('close', () => resolve())
  })
}

test('an operator finds in the access log how each request went, and in the metrics how all did', {
  skip: missing('curl'),
}, async (t) => {
  const { place, metricsPort, appPort } = await run(t)
  const url = `https://localhost:${place.httpsPort}`
  await curl('-k', '--http2', `${url}/1`, `${url}/2`)
  await curl(`http://gone.test:${place.httpPort}/3`)
  const [first, second, failed] = (await linesOf(place, 3)).lines
  for (const line of [first, second]) {
    assert.deepEqual([line!.status, line!.version, line!.tls, line!.resumed], [200, '2', 'TLSv1.3', false])
    assert.match(String(line!.cipher), /^TLS_/)
    assert.equal(line!.upstream, `http://127.0.0.1:${appPort}`)
    assert.ok(Number(line!.firstByteMs) >= 0)
  }
  assert.ok(Number(first!.handshakeMs) > 0 && Number(first!.connectMs) >= 0)
  assert.deepEqual([second!.handshakeMs, second!.connectMs], [undefined, undefined])
  assert.deepEqual([failed!.status, failed!.why, failed!.cause], [502, 'upstream-unreachable', 'ECONNREFUSED'])
  const metrics = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text()
  for (const [name, count] of [
    // Those by which Castellan proves its own certificates are among them.
    ['handshake', '[1-9]\\d*'],
    ['upstream_connect', 1],
    ['upstream_first_byte', 2],
    ['request', 3],
  ])
    assert.match(metrics, new RegExp(`^castellan_${name}_duration_seconds_count ${count}$`, 'm'))
})

test('what is no request that anybody understands is in both as well, and stays on its line', async (t) => {
  const { place, metricsPort } = await run(t)
  await say(place.httpPort, '\x1b[2J\x07\r\n{"event":"fake"}\r\n\r\n')
  await say(place.httpPort, 'GET /"\x1b[31m\x9b31m\u0085 HTTP/1.1\r\nHost: a"\\\x1b.test\r\n\r\n')
  await say(place.httpPort, `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(50_000)}\r\n\r\n`)
  const { text, lines } = await linesOf(place, 3)
  assert.doesNotMatch(text, /[^\n\x20-\x7e]/)
  const [garbage, hostile, large] = lines
  const { client, host, method, target, status, why } = garbage!
  assert.deepEqual([client, status, why], ['127.0.0.1', 400, 'request-line-malformed'])
  assert.deepEqual([host, method, target], [null, null, null])
  assert.deepEqual([hostile!.status, hostile!.method, hostile!.why], [400, 'GET', 'target-invalid'])
  assert.deepEqual([hostile!.target, hostile!.host], ['/"\x1b[31m\x9b31m\u0085', 'a"\\\x1b.test'])
  assert.deepEqual([large!.status, large!.host, large!.why], [431, 'localhost', 'fields-too-large'])
  const metrics = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text()
  assert.match(metrics, /^castellan_requests_total\{version="1\.1",status="4xx"\} 3$/m)
})
