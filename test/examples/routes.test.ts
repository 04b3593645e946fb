import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import type { IncomingHttpHeaders } from 'node:http'
import { type RequestOptions, request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { zstdDecompressSync } from 'node:zlib'
import { Castellan, freePort } from '../e2e/castellan.ts'

const EXAMPLE = join(import.meta.dirname, '../../examples/routes')

type Told = { readonly status: number; readonly headers: IncomingHttpHeaders; readonly content: Buffer }
type Asking = {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly content?: string
}

/** The example in a folder of its own and on other ports, with its apps. */
async function start(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'castellan-routes-'))
  await cp(EXAMPLE, folder, { recursive: true })
  const [pages, api, https, http] = [await freePort(), await freePort(), await freePort(), await freePort()]
  const ports: Record<string, number> = { 3001: pages, 3002: api, 8443: https, 8080: http }
  const config = await readFile(join(folder, 'castellan.yaml'), 'utf8')
  const moved = config.replaceAll(/:(3001|3002|8443|8080)\b/g, (_, port: string) => `:${ports[port]}`)
  await writeFile(join(folder, 'castellan.yaml'), `log: { format: json, level: debug }\n${moved}`)
  const apps = { pages: await startApp(folder, 'pages.mjs', pages), api: await startApp(folder, 'api.mjs', api) }
  const castellan = new Castellan(folder)
  t.after(async () => {
    await castellan.stop()
    for (const app of Object.values(apps)) await end(app)
    await rm(folder, { recursive: true })
  })
  await castellan.until('certificate-issued', 2)
  await castellan.until('serving')
  const ca = await readFile(join(folder, 'data/issuers/internal/root.crt'), 'utf8')
  const ask = (path: string, { method = 'GET', headers = {}, content = '' }: Asking = {}): Promise<Told> =>
    askOnce({ ca, port: https, host: 'localhost', path, method, headers, agent: false }, content)
  await untilServed(ask)
  return { ask, apps, castellan, folder }
}

async function startApp(folder: string, script: string, port: number): Promise<ChildProcess> {
  const app = spawn(process.execPath, [join(folder, script), String(port)], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(app.stdout!, 'data')
  return app
}

async function end(app: ChildProcess): Promise<void> {
  if (app.exitCode !== null || app.signalCode !== null) return
  app.kill()
  await once(app, 'exit')
}

function askOnce(options: RequestOptions, content: string): Promise<Told> {
  return new Promise((resolve, reject) => {
    const asking = request(options, async (response) => {
      resolve({ status: response.statusCode!, headers: response.headers, content: await buffer(response) })
    })
    asking.on('error', reject)
    asking.end(content)
  })
}

/** The workers hear of a certificate a moment after the log says that there is one. */
async function untilServed(ask: (path: string) => Promise<Told>): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await ask('/healthz')
      return
    } catch (error) {
      if (attempt === 50) throw error
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
}

test('examples/routes does what its README says', async (t) => {
  const { ask, apps, castellan, folder } = await start(t)

  const page = await ask('/', { headers: { 'accept-encoding': 'gzip, br, zstd' } })
  assert.equal(page.headers['content-encoding'], 'zstd')
  assert.match(zstdDecompressSync(page.content).toString(), /^The pages were asked for \/\n/)
  assert.deepEqual([page.headers['x-frame-options'], page.headers['x-powered-by']], ['DENY', undefined])

  const users = await ask('/api/users?x', { headers: { 'X-Tenant': 'evil' } })
  const seen = { method: 'GET', url: '/users?x', prefix: '/api', tenant: 'acme' }
  assert.deepEqual(JSON.parse(users.content.toString()), seen)

  const deleting = await ask('/api/users', { method: 'DELETE' })
  assert.deepEqual([deleting.status, deleting.content.toString()], [403, 'Nothing is deleted here.\n'])
  const large = await ask('/api/users', { method: 'POST', content: 'x'.repeat(1025) })
  assert.equal(large.status, 413)
  assert.match(large.content.toString(), /<h1>That did not work \(413\)<\/h1>/)
  const old = await ask('/old/page?x')
  assert.deepEqual([old.status, old.headers.location], [301, 'https://example.com/old/page?x'])
  assert.equal((await ask('/healthz')).content.toString(), 'well\n')
  const closed = await ask('/closed/')
  assert.deepEqual([closed.status, closed.headers['retry-after']], [503, '300'])

  await end(apps.pages)
  const sorry = await ask('/')
  assert.equal(sorry.status, 502)
  assert.match(sorry.content.toString(), /<h1>The app is not there for the moment<\/h1>\n<p>.*: [0-9a-f]{32}<\/p>/)
  const json = await ask('/', { headers: { accept: 'application/json' } })
  assert.equal(JSON.parse(json.content.toString()).status, 502)

  const explain = new Castellan(folder, ['explain', 'GET', 'https://localhost/api/users'])
  await explain.exited
  assert.match(explain.text, /route +\/api\/\*/)
  assert.equal(castellan.of('worker-exited').length, 0)
})
