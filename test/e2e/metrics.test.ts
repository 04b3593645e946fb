import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Castellan, freePort, makePlace } from './castellan.ts'

test('metrics tell of workers, requests, connections and certificates, also after a worker has gone', async (t) => {
  const place = await makePlace()
  const port = await freePort()
  await place.configure(`metrics: 127.0.0.1:${port}
workers: 2
sites: { localhost: { redirectTo: "https://x.example" } }
`)
  const castellan = new Castellan(place.folder)
  t.after(async () => {
    await castellan.stop()
    await place.remove()
  })
  await castellan.until('certificate-issued', 2)
  await castellan.until('serving')
  const scrape = async (): Promise<string> => (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  for (let count = 0; count < 3; count++) await fetch(`http://localhost:${place.httpPort}/`, { redirect: 'manual' })
  let text = await scrape()
  assert.match(text, /^castellan_workers 2$/m)
  assert.match(text, /^castellan_requests_total\{version="1\.1",status="3xx"\} 3$/m)
  assert.match(text, /^castellan_request_duration_seconds_count 3$/m)
  assert.match(text, /^castellan_request_duration_seconds_bucket\{le="\+Inf"\} 3$/m)
  assert.match(text, /^castellan_connections_total\{result="accepted"\} [1-9]\d*$/m)
  for (const key of ['ecdsa-p256', 'rsa-2048'])
    assert.match(
      text,
      new RegExp(`^castellan_certificate_not_after_seconds\\{name="localhost",key="${key}"\\} \\d{10}$`, 'm'),
    )
  const worker = Number(/\d+/.exec(castellan.of('worker-ready')[0]!.message))
  process.kill(worker, 'SIGKILL')
  await castellan.until('worker-ready', 3)
  text = await scrape()
  assert.match(text, /^castellan_requests_total\{version="1\.1",status="3xx"\} 3$/m)
})
