import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, request, type Server } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { WebSocket, WebSocketServer } from 'ws'
import { Castellan, freePort, makePlace, type Place } from './castellan.ts'

// The program goes over to another config, or does not, while clients are at it.

const PROGRAM = join(import.meta.dirname, '../../bin/castellan.js')

type Said = { readonly code: number; readonly stdout: string; readonly stderr: string }

/** A command, as an operator gives it beside the program that runs. */
function command(folder: string, ...args: string[]): Promise<Said> {
  return new Promise((resolve) =>
    execFile(process.execPath, [PROGRAM, ...args], { cwd: folder }, (error, stdout, stderr) =>
      resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
    ),
  )
}

/** An app that answers with its name, counts what is uploaded, and echoes what comes by WebSocket. */
async function startApp(t: TestContext, name: string): Promise<string> {
  const app: Server = createServer((asked, response) => {
    let bytes = 0
    asked.on('data', (piece: Buffer) => {
      bytes += piece.length
    })
    asked.on('end', () => response.end(`${name} ${bytes}`))
  })
  new WebSocketServer({ server: app }).on('connection', (socket) => socket.on('message', (said) => socket.send(said)))
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    app.close()
    app.closeAllConnections()
  })
  return `http://127.0.0.1:${(app.address() as AddressInfo).port}`
}

function site(name: string, upstream: string): string {
  return `  ${name}: { upstream: "${upstream}", redirect: off }\n`
}

type Started = { readonly place: Place; readonly castellan: Castellan }

async function start(t: TestContext, config: string, settings = 'workers: 1\n'): Promise<Started> {
  const place = await makePlace({ access: 'off' })
  await place.configure(settings + config)
  const castellan = new Castellan(place.folder)
  t.after(async () => {
    await castellan.stop('SIGINT')
    await place.remove()
  })
  await castellan.until('serving')
  return { place, castellan }
}

async function read(response: IncomingMessage): Promise<string> {
  let text = ''
  for await (const piece of response) text += piece
  return text
}

/** One request on a connection of its own: status and content. */
function visit(port: number, host: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request({ port, host: '127.0.0.1', headers: { host }, agent: false }, (response) =>
      read(response).then((text) => resolve(`${response.statusCode} ${text}`), reject),
    )
    sent.once('error', reject)
    sent.end()
  })
}

test('sites come, change and go, listeners open and close, and the command says so', async (t) => {
  const [one, two] = [await startApp(t, 'one'), await startApp(t, 'two')]
  const { place, castellan } = await start(t, `sites:\n${site('a.test', one)}${site('gone.test', one)}`)
  const { httpPort, folder } = place
  const other = await freePort()
  const listen = `listen: { https: "127.0.0.1:${place.httpsPort}", http: ["127.0.0.1:${httpPort}", "127.0.0.1:${other}"] }`
  const config = (sites: string, addresses = listen) =>
    writeFile(
      join(folder, 'castellan.yaml'),
      `storage: ./data\nworkers: 1\n${addresses}\nlog: { format: json, level: debug, access: off }\nsites:\n${sites}`,
    )
  await config(site('a.test', two) + site('new.test', one))
  const foreseen = await command(folder, 'reload', '--dry-run')
  assert.match(foreseen.stdout, /^sites to be added: new\.test$/m)
  assert.match(foreseen.stdout, /^certificates to be ordered: ecdsa-p256 for new\.test from internal, rsa-2048 for/m)
  assert.equal(await visit(httpPort, 'a.test'), '200 one 0')
  const done = await command(folder, 'reload')
  assert.deepEqual([done.code, done.stderr], [0, ''])
  assert.match(done.stdout, /^sites added: new\.test\nsites removed: gone\.test\nsites changed: a\.test\n/)
  assert.match(done.stdout, new RegExp(`^listeners opened: http 127\\.0\\.0\\.1:${other}$`, 'm'))
  assert.equal(await visit(httpPort, 'a.test'), '200 two 0')
  assert.equal(await visit(other, 'new.test'), '200 one 0')
  assert.match(await visit(httpPort, 'gone.test'), /^404 /)
  await config(site('a.test', two), `listen: { https: [], http: "127.0.0.1:${httpPort}" }`)
  const json = await command(folder, 'reload', '--json')
  const { changes } = JSON.parse(json.stdout)
  assert.deepEqual(changes.listeners, {
    opened: [],
    closed: [`https 127.0.0.1:${place.httpsPort}`, `http 127.0.0.1:${other}`],
  })
  await assert.rejects(visit(other, 'a.test'), { code: 'ECONNREFUSED' })
  assert.equal(await visit(httpPort, 'a.test'), '200 two 0')
  assert.equal((await command(folder, 'reload')).stdout, 'nothing has changed\n')
  assert.deepEqual(castellan.of('worker-exited'), [])
})

test('a config that cannot be leaves the former one in use, and is told of as validate does', async (t) => {
  const app = await startApp(t, 'app')
  const { place, castellan } = await start(t, `sites:\n${site('a.test', app)}`)
  const { folder, httpPort } = place
  const squatter = createTcpServer()
  await new Promise<void>((resolve) => squatter.listen(0, '127.0.0.1', resolve))
  t.after(() => squatter.close())
  const { port: taken } = squatter.address() as AddressInfo
  const faulty = {
    'YAML error': 'sites: { a.test: [',
    'unknown key': `sites:\n${site('a.test', app)}flavour: 1\n`,
    'missing PEM': 'sites:\n  a.test: { upstream: { to: "https://h", tls: { trust: ./none.pem } } }\n',
    'wrong key':
      'sites:\n  a.test: { upstream: "http://h", certificate: { files: [{ certificate: ./x, key: ./y }] } }\n',
  }
  for (const [kind, config] of Object.entries(faulty)) {
    await place.configure(config)
    const [said, validated] = [await command(folder, 'reload'), await command(folder, 'validate')]
    assert.deepEqual([said.code, said.stdout], [1, validated.stdout], kind)
    assert.equal(await visit(httpPort, 'a.test'), '200 app 0', kind)
  }
  const good = `sites:\n${site('b.test', app)}`
  await place.configure(`metrics: "127.0.0.1:${taken}"\n${good}`)
  const metrics = await command(folder, 'reload')
  assert.match(metrics.stderr, /^castellan: Metrics cannot be served on 127\.0\.0\.1:\d+: .*EADDRINUSE/)
  await writeFile(join(folder, 'castellan.yaml'), `storage: ./data\nlisten: { http: "127.0.0.1:${taken}" }\n${good}`)
  const port = await command(folder, 'reload')
  assert.match(port.stderr, /^castellan: Port \d+ (is in use by another program|needs a privilege)/)
  await writeFile(
    join(folder, 'castellan.yaml'),
    `storage: ./data\nlisten: { http: "127.0.0.1:${httpPort}", https: [] }\nlog: { access: { file: ./no/a.log } }\n${good}`,
  )
  assert.match((await command(folder, 'reload')).stderr, /^castellan: The log .*a\.log cannot be opened: ENOENT/)
  assert.equal(await visit(httpPort, 'a.test'), '200 app 0')
  assert.match(await visit(httpPort, 'b.test'), /^404 /)
  // What is no YAML at all the command tells by itself; the program says it to whoever reads the log.
  await writeFile(join(folder, 'castellan.yaml'), 'sites: [')
  castellan.process.kill('SIGHUP')
  const failures = await castellan.until('reload-failed', 7)
  const { stdout } = await command(folder, 'validate')
  assert.ok(failures.at(-1)!.message.endsWith(stdout.trimEnd()), failures.at(-1)!.message)
})

test('another storage takes a restart, and where no program runs the command says so', async (t) => {
  const { place } = await start(t, 'sites: { a.test: { redirectTo: "https://b.example" } }')
  const path = join(place.folder, 'castellan.yaml')
  await place.configure('sites: { a.test: { redirectTo: "https://b.example" } }')
  await writeFile(path, 'storage: ./other\nsites: { a.test: { redirectTo: "https://b.example" } }\n')
  const said = await command(place.folder, 'reload')
  assert.equal(said.code, 1)
  assert.match(said.stderr, /^castellan: No Castellan is running with the storage .*other, .*"storage" has changed/)
  assert.equal((await command(place.folder, 'reload', 'now')).code, 2)
})

test('a WebSocket and an upload live on over reloads, and what is asked after them is served anew', async (t) => {
  const [one, two] = [await startApp(t, 'one'), await startApp(t, 'two')]
  const settings = 'workers: 1\ntimeouts: { body: 10m }\n'
  const { place, castellan } = await start(t, `sites:\n${site('a.test', one)}`, settings)
  const { httpPort } = place
  const socket = new WebSocket(`ws://127.0.0.1:${httpPort}/`, { headers: { host: 'a.test' } })
  await new Promise((resolve) => socket.once('open', resolve))
  const echo = (text: string): Promise<string> => {
    const answer = new Promise<string>((resolve) => socket.once('message', (said) => resolve(String(said))))
    socket.send(text)
    return answer
  }
  const headers = { host: 'a.test', 'content-length': 6 }
  const upload = request({ port: httpPort, host: '127.0.0.1', method: 'POST', headers, agent: false })
  const uploaded = new Promise<string>((resolve, reject) => {
    upload.once('response', (response) => read(response).then(resolve, reject))
    upload.once('error', reject)
  })
  upload.write('abc')
  assert.equal(await echo('before'), 'before')
  for (const [index, upstream] of [two, one, two].entries()) {
    await place.configure(`${settings}sites:\n${site('a.test', upstream)}`)
    castellan.process.kill('SIGHUP')
    await castellan.until('reloaded', index + 1)
    assert.equal(await echo(`after ${index}`), `after ${index}`)
  }
  assert.equal(await visit(httpPort, 'a.test'), '200 two 0')
  upload.end('def')
  assert.equal(await uploaded, 'one 6')
  socket.close()
  assert.deepEqual(castellan.of('worker-exited'), [])
})

test('files that are watched are taken up when they change, however that comes about', async (t) => {
  const [one, two] = [await startApp(t, 'one'), await startApp(t, 'two')]
  const { place, castellan } = await start(
    t,
    `include: [conf/live/*.yaml, more/*.yaml]\nsites:\n${site('a.test', one)}`,
    'workers: 1\nwatch: on\n',
  )
  const { folder, httpPort } = place
  const changed = async (count: number): Promise<void> => void (await castellan.until('reloaded', count))
  // Kubernetes: a folder of its own for each version, and a symbolic link that is put in the place of the former.
  for (const [version, upstream] of Object.entries({ v1: one, v2: two })) {
    await mkdir(join(folder, 'conf', version), { recursive: true })
    await writeFile(join(folder, 'conf', version, 'b.yaml'), `sites:\n${site('b.test', upstream)}`)
  }
  await symlink('v1', join(folder, 'conf/live'))
  await changed(1)
  assert.equal(await visit(httpPort, 'b.test'), '200 one 0')
  await symlink('v2', join(folder, 'conf/next'))
  await rename(join(folder, 'conf/next'), join(folder, 'conf/live'))
  await changed(2)
  assert.equal(await visit(httpPort, 'b.test'), '200 two 0')
  // An editor that writes beside the file and renames.
  await writeFile(join(folder, 'conf/v2/.b'), 'sites:\n  c.test: {')
  await rename(join(folder, 'conf/v2/.b'), join(folder, 'conf/v2/b.yaml'))
  await castellan.until('reload-failed')
  assert.equal(await visit(httpPort, 'b.test'), '200 two 0')
  await rm(join(folder, 'conf/v2/b.yaml'))
  await changed(3)
  assert.match(await visit(httpPort, 'b.test'), /^404 /)
})
