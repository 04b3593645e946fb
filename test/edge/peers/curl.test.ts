import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import type { RequestListener } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { SiteSnapshot } from '../../../src/edge/snapshot.ts'
import { curl } from '../../e2e/curl.ts'
import { missing } from '../../programs.ts'
import { runEdge } from '../adversary/running-edge.ts'
import { plainPolicy, siteOf, startUpstream } from '../serve.ts'
import { rootPem } from '../tls/served.ts'

// curl through a running edge, over HTTP/1.1 and HTTP/2 with TLS.

const skip = missing('curl')
const VERSIONS = ['--http1.1', '--http2'] as const

async function behindEdge(t: TestContext, listener: RequestListener, site: Partial<SiteSnapshot> = {}) {
  const upstream = await startUpstream(listener)
  const edge = await runEdge(t, [siteOf(upstream.address, site)])
  const folder = await mkdtemp(join(tmpdir(), 'castellan-curl-'))
  const root = join(folder, 'root.pem')
  await writeFile(root, await rootPem())
  t.after(() => Promise.all([upstream.close(), rm(folder, { recursive: true, force: true })]))
  const to = ['--cacert', root, '--connect-to', `a.test:443:127.0.0.1:${edge.ports.https}`]
  return { folder, upstream, ask: (...args: readonly string[]) => curl(...to, ...args) }
}

function hashed(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex')
}

/** Answers with the hash of what came. */
const hashing: RequestListener = (request, response) => {
  const hash = createHash('sha256')
  request.on('data', (piece: Buffer) => hash.update(piece))
  request.on('end', () => response.end(`${request.method} ${hash.digest('hex')}`))
}

for (const version of VERSIONS) {
  const status = version === '--http2' ? 'HTTP/2 200' : 'HTTP/1.1 200 OK'

  test(`curl ${version}: one connection for many requests`, { skip }, async (t) => {
    const { ask } = await behindEdge(t, (request, response) => response.end(`path ${request.url}`))
    const { output, exitCode } = await ask(version, '-v', 'https://a.test/[1-20]')
    assert.equal(exitCode, 0, output)
    assert.equal(output.split(`< ${status}`).length - 1, 20, output)
    for (let path = 1; path <= 20; path++) assert.ok(output.includes(`path /${path}`))
    assert.equal(output.match(/Connected to/g)?.length, 1)
  })

  test(`curl ${version}: uploads of known and unknown length, with and without Expect`, { skip }, async (t) => {
    const { ask, folder } = await behindEdge(t, hashing)
    const content = randomBytes(3_000_000)
    const file = join(folder, 'upload')
    await writeFile(file, content)
    for (const args of [
      ['-T', file],
      ['-T', file, '-H', 'Expect: 100-continue', '--expect100-timeout', '10'],
      ['-T', file, '-H', 'Expect:'],
      ['-T', file, '-H', 'Transfer-Encoding: chunked'],
      ['--data-binary', `@${file}`, '-X', 'POST'],
      ['-F', 'a=b', '-F', `file=@${file}`, '--form-escape'],
    ]) {
      const { output, exitCode } = await ask(version, ...args, 'https://a.test/')
      assert.equal(exitCode, 0, output)
      if (!args.includes('-F')) assert.ok(output.includes(hashed(content)), `${args}: ${output}`)
    }
  })

  test(`curl ${version}: an upload that is refused ends with the refusal`, { skip }, async (t) => {
    const limited = await behindEdge(t, hashing, { policy: { ...plainPolicy, maxBodyBytes: 1_000_000 } })
    const early = await behindEdge(t, (_request, response) => response.writeHead(403).end('no'))
    const file = join(limited.folder, 'upload')
    await writeFile(file, randomBytes(20_000_000))
    for (const args of [
      ['--data-binary', `@${file}`],
      ['-F', `file=@${file}`],
      ['-T', file],
      ['-T', file, '-H', 'Transfer-Encoding: chunked'],
      ['-T', file, '-H', 'Expect:'],
    ])
      for (const [status, { ask }] of [
        [413, limited],
        [403, early],
      ] as const) {
        const { output, exitCode } = await ask(version, ...args, 'https://a.test/')
        assert.match(output, new RegExp(`^HTTP/(1\\.1|2) ${status}`, 'm'), `${args}`)
        assert.equal(exitCode, 0, `${args}: ${output}`)
      }
  })

  test(`curl ${version}: trailers and informational responses`, { skip }, async (t) => {
    const { ask } = await behindEdge(t, (_request, response) => {
      response.writeEarlyHints({ link: '</style.css>; rel=preload' })
      response.writeHead(200, { trailer: 'x-sum' })
      response.write('content')
      response.addTrailers({ 'x-sum': '42' })
      response.end()
    })
    const { output, exitCode } = await ask(version, '-v', '-H', 'TE: trailers', 'https://a.test/')
    assert.equal(exitCode, 0, output)
    assert.match(output, /HTTP\/(1\.1|2) 103/)
    assert.match(output, /link: <\/style\.css>/i)
    assert.match(output, /x-sum: 42/i)
  })

  test(`curl ${version}: HEAD, 204 and 304`, { skip }, async (t) => {
    const { ask } = await behindEdge(t, (request, response) => {
      response.writeHead(Number(request.url?.slice(1)), { etag: '"x"' }).end(request.method === 'HEAD' ? 'none' : '')
    })
    for (const [path, args] of [
      ['200', ['-I']],
      ['204', []],
      ['304', []],
    ] as const) {
      const { output, exitCode } = await ask(version, ...args, `https://a.test/${path}`, 'https://a.test/200')
      assert.equal(exitCode, 0, output)
      assert.match(output, new RegExp(`^HTTP/(1\\.1|2) ${path}`))
      assert.match(output, /etag: "x"/i)
    }
  })

  test(`curl ${version}: a download that breaks off is an error`, { skip }, async (t) => {
    const { ask } = await behindEdge(t, (_request, response) => {
      response.writeHead(200, { 'content-length': 1000 })
      response.write('part', () => response.destroy())
    })
    const { output, exitCode } = await ask(version, 'https://a.test/')
    assert.match(output, /part/)
    assert.notEqual(exitCode, 0)
  })
}

test('curl in HTTP/1.0: content of unknown length ends with the connection', { skip }, async (t) => {
  const { ask } = await behindEdge(t, (_request, response) => {
    response.write('a')
    response.end('b')
  })
  const { output, exitCode } = await ask('-0', 'https://a.test/')
  assert.equal(exitCode, 0, output)
  assert.match(output, /\r\nConnection: close\r\n[\s\S]*ab$/)
  assert.doesNotMatch(output, /chunked/i)
})

for (const version of VERSIONS)
  test(`curl ${version} that waits for a 100 is told otherwise, and keeps its content`, { skip }, async (t) => {
    const { ask, folder, upstream } = await behindEdge(t, hashing)
    upstream.server.on('checkContinue', (_request, response) => response.writeHead(403).end('no'))
    const file = join(folder, 'upload')
    await writeFile(file, randomBytes(3_000_000))
    const args = ['-T', file, '-H', 'Expect: 100-continue', '--expect100-timeout', '10', '-w', 'sent %{size_upload}']
    const { output, exitCode } = await ask(version, ...args, 'https://a.test/')
    assert.equal(exitCode, 0, output)
    // Over HTTP/2, curl 7.88 sends as much as the window allows before it looks.
    assert.match(output, version === '--http2' ? /^HTTP\/2 403 [\s\S]*no/ : /^HTTP\/1\.1 403 [\s\S]*no\s*sent 0$/)
  })
