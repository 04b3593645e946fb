import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import type { RequestListener } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { missing } from '../../programs.ts'
import { runEdge } from '../adversary/running-edge.ts'
import { siteOf, startUpstream } from '../serve.ts'

// nghttp2's own clients through a running edge.

async function behindEdge(t: TestContext, listener: RequestListener): Promise<string> {
  const upstream = await startUpstream(listener)
  const edge = await runEdge(t, [siteOf(upstream.address)], { fallback: 'a.test' })
  t.after(() => upstream.close())
  return `https://127.0.0.1:${edge.ports.https}`
}

async function run(program: string, ...args: readonly string[]): Promise<string> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: 60_000 })
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return stdout + stderr
}

for (const [name, args, requests] of [
  ['HTTP/2', ['-n', '3000', '-c', '10', '-m', '30'], 3000],
  ['HTTP/2 with small windows', ['-n', '300', '-c', '3', '-m', '100', '-w', '10', '-W', '12'], 300],
  ['HTTP/1.1', ['--h1', '-n', '2000', '-c', '10'], 2000],
  ['HTTP/1.1, pipelined', ['--h1', '-n', '2000', '-c', '5', '-m', '8'], 2000],
] as const)
  test(`h2load over ${name}: every request is answered`, { skip: missing('h2load') }, async (t) => {
    const url = await behindEdge(t, (request, response) => response.end(request.url?.repeat(500)))
    const output = await run('h2load', ...args, `${url}/some/path`)
    assert.match(output, new RegExp(`${requests} done, ${requests} succeeded, 0 failed, 0 errored, 0 timeout`))
    assert.match(output, new RegExp(`status codes: ${requests} 2xx`))
  })

test('h2load uploads', { skip: missing('h2load') }, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'castellan-h2load-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const file = join(folder, 'upload')
  await writeFile(file, randomBytes(100_000))
  const url = await behindEdge(t, (request, response) => {
    let bytes = 0
    request.on('data', (piece: Buffer) => {
      bytes += piece.length
    })
    request.on('end', () => response.writeHead(bytes === 100_000 ? 200 : 500).end())
  })
  for (const args of [['-m', '10'], ['--h1']]) {
    const output = await run('h2load', ...args, '-n', '200', '-c', '4', '-d', file, `${url}/`)
    assert.match(output, /status codes: 200 2xx/, output)
  }
})

test('nghttp: many at once, with content, Expect and trailers', { skip: missing('nghttp') }, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'castellan-nghttp-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const file = join(folder, 'upload')
  const content = randomBytes(500_000)
  await writeFile(file, content)
  const trailers: (string | undefined)[] = []
  const hashes = new Set<string>()
  const url = await behindEdge(t, (request, response) => {
    const hash = createHash('sha256')
    request.on('data', (piece: Buffer) => hash.update(piece))
    request.on('end', () => {
      hashes.add(hash.digest('hex'))
      trailers.push(request.rawTrailers.join(': '))
      response.end('taken')
    })
  })
  const args = [
    '-m',
    '10',
    '-d',
    file,
    '--no-content-length',
    '--expect-continue',
    '--trailer',
    'x-sum: 42',
    '-H',
    ':authority: a.test',
  ]
  const output = await run('nghttp', '-v', ...args, `${url}/`)
  assert.equal(output.match(/:status: 200/g)?.length, 10, output.slice(-2000))
  assert.doesNotMatch(output, /error_code=(?!NO_ERROR)/)
  assert.deepEqual([...hashes], [createHash('sha256').update(content).digest('hex')])
  assert.deepEqual(trailers, Array(10).fill('x-sum: 42'))
})
