import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { missing } from '../../programs.ts'
import { askHttp2, connectHttp2 } from '../adversary/http2-client.ts'
import { type RunningEdge, runEdge } from '../adversary/running-edge.ts'
import { siteOf } from '../serve.ts'
import { askWhileClosing } from './closing-upstream.ts'
import { type NginxOrigin, startNginx } from './nginx.ts'

// nginx as the application, asked through a running edge by node's fetch (undici), node:http and node:http2.

const skip = missing('nginx')

async function throughEdge(
  t: TestContext,
  settings?: string,
): Promise<{ edge: RunningEdge; nginx: NginxOrigin; url: string }> {
  const nginx = await startNginx(t, settings)
  const edge = await runEdge(t, [siteOf(nginx.address, { names: ['a.test', 'localhost'] })])
  return { edge, nginx, url: `http://localhost:${edge.ports.http}` }
}

test('files whole, in ranges, compressed, and not at all', { skip }, async (t) => {
  const { nginx, url } = await throughEdge(t)
  const large = await fetch(`${url}/large.bin`)
  assert.ok(Buffer.from(await large.arrayBuffer()).equals(nginx.large))
  const range = await fetch(`${url}/large.bin`, { headers: { range: 'bytes=1000-1999' } })
  assert.deepEqual([range.status, range.headers.get('content-range')], [206, `bytes 1000-1999/${nginx.large.length}`])
  assert.ok(Buffer.from(await range.arrayBuffer()).equals(nginx.large.subarray(1000, 2000)))
  const ranges = await fetch(`${url}/large.bin`, { headers: { range: 'bytes=0-9,20-29' } })
  assert.match(ranges.headers.get('content-type') ?? '', /^multipart\/byteranges/)
  assert.equal((await ranges.arrayBuffer()).byteLength, Number(ranges.headers.get('content-length')))
  const beyond = await fetch(`${url}/large.bin`, { headers: { range: 'bytes=99999999-' } })
  assert.equal(beyond.status, 416)
  const text = await fetch(`${url}/text.txt`, { headers: { 'accept-encoding': 'gzip' } })
  assert.equal(text.headers.get('content-encoding'), 'gzip')
  assert.equal(await text.text(), nginx.text)
  const etag = text.headers.get('etag') ?? ''
  const same = await fetch(`${url}/text.txt`, { headers: { 'if-none-match': etag } })
  assert.deepEqual([same.status, await same.text()], [304, ''])
  const head = await fetch(`${url}/large.bin`, { method: 'HEAD' })
  assert.equal(head.headers.get('content-length'), String(nginx.large.length))
  assert.equal((await fetch(`${url}/nowhere`)).status, 404)
  assert.equal((await fetch(`${url}/empty`)).status, 204)
})

test('fields of some kilobytes, both ways', { skip }, async (t) => {
  const { url } = await throughEdge(t)
  const wide = await fetch(`${url}/wide`)
  assert.equal(wide.headers.get('x-wide')?.length, 7000 + 2)
  const cookie = 'c'.repeat(12_000)
  const told = await fetch(`${url}/cookies`, { headers: { cookie } })
  assert.equal(await told.text(), cookie)
})

test('uploads of known and unknown length', { skip }, async (t) => {
  const { nginx, url } = await throughEdge(t)
  const sent = await fetch(`${url}/up/one.bin`, { method: 'PUT', body: nginx.large })
  assert.equal(sent.status, 201)
  const streamed = new Blob([Uint8Array.from(nginx.large)]).stream()
  // nginx's dav takes no chunks without a length of its own making: it answers 201 all the same.
  const init = { method: 'PUT', body: streamed, duplex: 'half' } as RequestInit
  assert.ok([201, 204].includes((await fetch(`${url}/up/two.bin`, init)).status))
  for (const name of ['one', 'two']) {
    const got = await fetch(`${url}/up/${name}.bin`)
    assert.ok(Buffer.from(await got.arrayBuffer()).equals(nginx.large), name)
  }
})

test('the same over HTTP/2', { skip }, async (t) => {
  const { edge, nginx } = await throughEdge(t)
  const session = await connectHttp2(t, edge)
  const large = await askHttp2(session, { ':path': '/large.bin' })
  assert.ok(Buffer.from(large.content, 'latin1').equals(nginx.large))
  const head = await askHttp2(session, { ':path': '/large.bin', ':method': 'HEAD' })
  assert.deepEqual([head.fields['content-length'], head.content], [String(nginx.large.length), ''])
  const text = await askHttp2(session, { ':path': '/text.txt', 'accept-encoding': 'gzip' })
  const same = await askHttp2(session, { ':path': '/text.txt', 'if-none-match': String(text.fields.etag) })
  assert.deepEqual([text.fields['content-encoding'], same.status, same.code], ['gzip', 304, 0])
  const sent = await askHttp2(session, { ':path': '/up/h2.bin', ':method': 'PUT' }, nginx.large.toString('latin1'))
  assert.equal(sent.status, 201)
  const got = await askHttp2(session, { ':path': '/up/h2.bin' })
  assert.ok(Buffer.from(got.content, 'latin1').equals(nginx.large))
})

test('an upstream that closes without an answer is a 502, and the next request is served', { skip }, async (t) => {
  const { url } = await throughEdge(t)
  for (let count = 0; count < 3; count++) {
    assert.equal((await fetch(`${url}/gone`)).status, 502)
    assert.equal((await fetch(`${url}/text.txt`)).status, 200)
  }
})

for (const [name, settings] of [
  ['after 30 ms', 'keepalive_timeout 30ms;'],
  ['after three requests', 'keepalive_requests 3;'],
  ['after each', 'keepalive_timeout 0;'],
] as const)
  test(`no request is lost to an upstream that closes its connections ${name}`, { skip }, async (t) => {
    const { edge } = await throughEdge(t, settings)
    assert.deepEqual(await askWhileClosing(t, edge, '/empty'), [[204, 600]])
  })
