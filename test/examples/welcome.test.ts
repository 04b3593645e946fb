import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import type { Server } from 'node:http'
import { get } from 'node:https'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { serveWelcomeApp } from '../../examples/welcome/app.ts'
import { freePort } from '../e2e/castellan.ts'

const ROOT = join(import.meta.dirname, '../..')

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port
}

async function serve(t: TestContext): Promise<string> {
  const apps = await serveWelcomeApp(0)
  t.after(() => {
    for (const app of apps) app.close()
  })
  return `http://127.0.0.1:${portOf(apps[0]!)}`
}

test('the welcome page shows what the proxy says of the request', async (t) => {
  const origin = await serve(t)
  const headers = { 'x-forwarded-for': '192.0.2.1', 'x-forwarded-proto': 'https', 'x-forwarded-host': 'a.example' }
  const page = await (await fetch(`${origin}/?q=1`, { headers })).text()
  assert.match(page, /<h1>It works: Castellan is serving this page over HTTPS<\/h1>/)
  for (const fact of ['GET', '/?q=1', 'HTTP/1.1', origin.slice('http://'.length), ...Object.values(headers)])
    assert.ok(page.includes(`<td>${fact}</td>`), fact)
})

test('the welcome page takes nothing from a request for HTML', async (t) => {
  const origin = await serve(t)
  const attack = `<script>alert("1" + '&')</script>`
  const headers = { 'x-forwarded-for': attack, 'x-forwarded-host': attack, 'user-agent': attack }
  const page = await (await fetch(`${origin}/`, { headers })).text()
  assert.doesNotMatch(page, /<script/)
  assert.equal(page.split('&lt;script&gt;alert(&quot;1&quot; + &#39;&amp;&#39;)&lt;/script&gt;').length, 4)
})

test('besides the page there is /healthz, and nothing else', async (t) => {
  const origin = await serve(t)
  const health = await fetch(`${origin}/healthz`)
  assert.deepEqual([health.status, await health.text()], [200, 'ok\n'])
  for (const path of ['/other', '/healthz/', '//']) assert.equal((await fetch(origin + path)).status, 404, path)
  assert.equal((await fetch(origin, { method: 'POST' })).status, 404)
})

test('the welcome app answers at every address of localhost, or at none', async (t) => {
  const apps = await serveWelcomeApp(0)
  t.after(() => {
    for (const app of apps) app.close()
  })
  for (const app of apps) assert.equal(portOf(app), portOf(apps[0]!))
  const hosts = apps.map((app) => (app.address() as AddressInfo).address)
  assert.deepEqual(hosts, ['127.0.0.1', '::1'].slice(0, hosts.length))
  await assert.rejects(serveWelcomeApp(portOf(apps[0]!)), { code: 'EADDRINUSE' })
})

/** What `npm start` runs, in a folder of its own, with `config.example.yaml` on other ports. */
async function start(t: TestContext, ports: { app: number; https: number; http: number }) {
  const folder = await mkdtemp(join(tmpdir(), 'castellan-welcome-'))
  await cp(join(ROOT, 'examples'), join(folder, 'examples'), { recursive: true })
  for (const name of ['bin', 'src', 'node_modules', 'package.json']) await symlink(join(ROOT, name), join(folder, name))
  const config = (await readFile(join(ROOT, 'config.example.yaml'), 'utf8'))
    .replace(/^( {2}localhost: ).*/m, `$1http://localhost:${ports.app}`)
    .replace('":8443"', `"127.0.0.1:${ports.https}"`)
    .replace('":8080"', `"127.0.0.1:${ports.http}"`)
  await writeFile(join(folder, 'config.example.yaml'), config)
  const child = spawn(process.execPath, [join(folder, 'examples/welcome/start.ts')], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exited = once(child, 'exit')
  t.after(async () => {
    child.kill('SIGTERM')
    await exited
    await rm(folder, { recursive: true })
  })
  return { folder, child, exited }
}

/** Waits until it serves and has its certificates: one of each kind. */
async function untilReady(child: ChildProcess): Promise<void> {
  const awaited = ['serving', 'certificate-issued', 'certificate-issued']
  for await (const line of createInterface(child.stdout!)) {
    const index = awaited.indexOf(JSON.parse(line).event)
    if (index >= 0) awaited.splice(index, 1)
    if (awaited.length === 0) break
  }
  assert.deepEqual(awaited, [])
  child.stdout!.resume()
}

/** A log line says that there is a certificate, and the workers have it a moment later: until then they refuse. */
async function fetchPage(port: number, ca: string): Promise<string> {
  for (let attempt = 1; ; attempt++) {
    try {
      const [response] = await once(get(`https://localhost:${port}/`, { ca, agent: false }), 'response')
      return await text(response)
    } catch (error) {
      if (attempt === MAX_ATTEMPTS) throw error
      await wait(ATTEMPT_INTERVAL_MS)
    }
  }
}

const MAX_ATTEMPTS = 50
const ATTEMPT_INTERVAL_MS = 100

test('npm start serves the welcome page over HTTPS, and ends with Castellan', async (t) => {
  const https = await freePort()
  const { folder, child, exited } = await start(t, { app: await freePort(), https, http: await freePort() })
  await untilReady(child)
  const ca = await readFile(join(folder, 'data/issuers/internal/root.crt'), 'utf8')
  assert.match(await fetchPage(https, ca), /<tr><th>x-forwarded-proto<\/th><td>https<\/td><\/tr>/)
  child.kill('SIGTERM')
  assert.deepEqual(await exited, [0, null])
})

test('npm start says in a sentence which port is taken, and the ways out', async (t) => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  t.after(() => other.close())
  const app = (other.address() as AddressInfo).port
  const { child, exited } = await start(t, { app, https: await freePort(), http: await freePort() })
  const said = await text(child.stderr!)
  assert.match(
    said,
    new RegExp(`^Port ${app}, where config\\.example\\.yaml looks for the welcome app, is in use by .*\\n$`),
  )
  assert.match(said, new RegExp(`"localhost: http://localhost:${app}"`))
  assert.deepEqual(await exited, [1, null])
})
