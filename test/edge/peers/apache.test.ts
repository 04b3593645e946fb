import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { text as textOf } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { missing } from '../../programs.ts'
import { askHttp2, connectHttp2 } from '../adversary/http2-client.ts'
import { type RunningEdge, runEdge } from '../adversary/running-edge.ts'
import { siteOf } from '../serve.ts'
import { type ApacheOrigin, startApache } from './apache.ts'
import { askWhileClosing } from './closing-upstream.ts'

// Apache as the application, over HTTP/1.1 and HTTP/2 in clear text, asked through a running edge by node's fetch (undici),
// node:http and node:http2.

const skip = missing('apache2')

async function throughEdge(
  t: TestContext,
  scheme: 'http' | 'h2c',
  settings?: string,
): Promise<{ edge: RunningEdge; apache: ApacheOrigin; url: string }> {
  const apache = await startApache(t, scheme, settings)
  const edge = await runEdge(t, [siteOf(apache.address, { names: ['a.test', 'localhost'] })])
  return { edge, apache, url: `http://localhost:${edge.ports.http}` }
}

const sha256 = (content: Buffer): string => createHash('sha256').update(content).digest('hex')

/** Sends `Expect: 100-continue`, and the content once that is answered with 100. */
async function askFirst(port: number, path: string, content: Buffer): Promise<{ told: number[]; text: string }> {
  const headers = { host: 'a.test', expect: '100-continue', 'content-length': content.length }
  const request = httpRequest({ port, host: '127.0.0.1', method: 'PUT', path, headers, agent: false })
  const told: number[] = []
  request.on('continue', () => {
    told.push(100)
    request.end(content)
  })
  request.flushHeaders()
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request.once('response', resolve).once('error', reject)
  })
  told.push(response.statusCode ?? 0)
  const text = await textOf(response)
  request.destroy()
  return { told, text }
}

for (const [version, scheme] of [
  ['HTTP/1.1', 'http'],
  ['HTTP/2', 'h2c'],
] as const) {
  test(`Apache over ${version}: files whole, in ranges, compressed, and not at all`, { skip }, async (t) => {
    const { apache, url } = await throughEdge(t, scheme)
    const large = await fetch(`${url}/large.bin`)
    assert.ok(Buffer.from(await large.arrayBuffer()).equals(apache.large))
    const range = await fetch(`${url}/large.bin`, { headers: { range: 'bytes=1000-1999' } })
    assert.deepEqual(
      [range.status, range.headers.get('content-range')],
      [206, `bytes 1000-1999/${apache.large.length}`],
    )
    assert.ok(Buffer.from(await range.arrayBuffer()).equals(apache.large.subarray(1000, 2000)))
    const ranges = await fetch(`${url}/large.bin`, { headers: { range: 'bytes=0-9,20-29' } })
    assert.match(ranges.headers.get('content-type') ?? '', /^multipart\/byteranges/)
    assert.equal((await ranges.arrayBuffer()).byteLength, Number(ranges.headers.get('content-length')))
    assert.equal((await fetch(`${url}/large.bin`, { headers: { range: 'bytes=99999999-' } })).status, 416)
    const text = await fetch(`${url}/text.txt`, { headers: { 'accept-encoding': 'gzip' } })
    assert.equal(text.headers.get('content-encoding'), 'gzip')
    assert.equal(await text.text(), apache.text)
    for (const [field, value] of [
      ['if-none-match', large.headers.get('etag')],
      ['if-modified-since', large.headers.get('last-modified')],
    ] as const) {
      const same = await fetch(`${url}/large.bin`, { headers: { [field]: value ?? '' } })
      assert.deepEqual([same.status, await same.text()], [304, ''])
    }
    const head = await fetch(`${url}/large.bin`, { method: 'HEAD' })
    assert.equal(head.headers.get('content-length'), String(apache.large.length))
    assert.equal((await fetch(`${url}/nowhere`)).status, 404)
    // Apache makes this of the host that it is told.
    const moved = await fetch(`${url}/folder`, { redirect: 'manual' })
    assert.deepEqual([moved.status, moved.headers.get('location')], [301, `${url}/folder/`])
  })

  test(`Apache over ${version}: what a program writes arrives as it is written`, { skip }, async (t) => {
    const { edge, url } = await throughEdge(t, scheme)
    const { headers, body } = await fetch(`${url}/cgi/steps`)
    assert.equal(headers.get('content-length'), null)
    const pieces: string[] = []
    for await (const piece of body!.pipeThrough(new TextDecoderStream())) pieces.push(piece)
    assert.deepEqual(pieces, ['one\n', 'two\n'])
    const session = await connectHttp2(t, edge)
    const told = await askHttp2(session, { ':path': '/cgi/steps' })
    assert.deepEqual([told.status, told.content, told.code], [200, 'one\ntwo\n', 0])
  })

  test(`Apache over ${version}: uploads of known and unknown length`, { skip }, async (t) => {
    const { edge, apache, url } = await throughEdge(t, scheme)
    const known = await fetch(`${url}/cgi/sum`, { method: 'POST', body: Uint8Array.from(apache.large) })
    assert.equal(await known.text(), `${sha256(apache.large)}  -\n`)
    const streamed = new Blob([Uint8Array.from(apache.large)]).stream()
    const unknown = await fetch(`${url}/cgi/sum`, { method: 'POST', body: streamed, duplex: 'half' } as RequestInit)
    assert.equal(await unknown.text(), `${sha256(apache.large)}  -\n`)
    const session = await connectHttp2(t, edge)
    const content = apache.large.toString('latin1')
    const told = await askHttp2(session, { ':path': '/cgi/sum', ':method': 'POST' }, content)
    assert.deepEqual([told.status, told.content], [200, `${sha256(apache.large)}  -\n`])
    const put = await fetch(`${url}/up/one.bin`, { method: 'PUT', body: Uint8Array.from(apache.large) })
    assert.equal(put.status, 201)
    const got = await fetch(`${url}/up/one.bin`)
    assert.ok(Buffer.from(await got.arrayBuffer()).equals(apache.large))
    assert.equal((await fetch(`${url}/up/one.bin`, { method: 'DELETE' })).status, 204)
    assert.equal((await fetch(`${url}/up/one.bin`)).status, 404)
  })

  test(`Apache over ${version}: 100-continue, and refusals in its place`, { skip }, async (t) => {
    const { edge, apache, url } = await throughEdge(t, scheme)
    const taken = await askFirst(edge.ports.http, '/up/asked.bin', apache.large)
    assert.deepEqual(taken.told, [100, 201])
    const got = await fetch(`${url}/up/asked.bin`)
    assert.ok(Buffer.from(await got.arrayBuffer()).equals(apache.large))
    assert.deepEqual((await askFirst(edge.ports.http, '/forbidden', apache.large)).told, [403])
    assert.deepEqual((await askFirst(edge.ports.http, '/small/sum', apache.large)).told.at(-1), 413)
    // Of whoever does not ask first, Apache reads some and answers before the rest.
    const session = await connectHttp2(t, edge)
    const content = apache.large.toString('latin1')
    assert.equal((await askHttp2(session, { ':path': '/forbidden', ':method': 'POST' }, content)).status, 403)
    assert.equal((await askHttp2(session, { ':path': '/text.txt' })).content, apache.text)
  })

  test(`Apache over ${version}: the same over HTTP/2 to the client, many at a time`, { skip }, async (t) => {
    const { edge, apache } = await throughEdge(t, scheme)
    const session = await connectHttp2(t, edge)
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, index) =>
        askHttp2(session, { ':path': index % 10 === 0 ? '/large.bin' : '/text.txt' }),
      ),
    )
    for (const [index, { status, content, code }] of answers.entries()) {
      const isRight = index % 10 === 0 ? content === apache.large.toString('latin1') : content === apache.text
      assert.deepEqual([status, isRight, code], [200, true, 0])
    }
    const head = await askHttp2(session, { ':path': '/large.bin', ':method': 'HEAD' })
    assert.deepEqual([head.fields['content-length'], head.content], [String(apache.large.length), ''])
    const same = await askHttp2(session, { ':path': '/large.bin', 'if-none-match': String(head.fields.etag) })
    assert.deepEqual([same.status, same.content, same.code], [304, '', 0])
  })

  for (const [name, settings] of [
    ['after 30 ms', 'KeepAliveTimeout 30ms'],
    ['after three requests', 'MaxKeepAliveRequests 3'],
    ['after each', 'KeepAlive Off'],
  ] as const)
    test(`no request is lost to Apache over ${version}, which closes ${name}`, { skip }, async (t) => {
      const { edge } = await throughEdge(t, scheme, settings)
      assert.deepEqual(await askWhileClosing(t, edge, '/nowhere'), [[404, 600]])
    })
}
