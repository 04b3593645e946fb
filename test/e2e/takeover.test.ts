import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { WebSocket, WebSocketServer } from 'ws'
import { Castellan, type LogLine, makePlace } from './castellan.ts'

// A program takes over from another: what it inherits are sockets, with whoever waits in their queues.

const PROGRAM = join(import.meta.dirname, '../../bin/castellan.js')

function upgrade(folder: string): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) =>
    execFile(process.execPath, [PROGRAM, 'upgrade'], { cwd: folder }, (error, stdout, stderr) =>
      resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
    ),
  )
}

async function startApp(t: TestContext): Promise<string> {
  const app = createServer((_asked, response) => response.end('app'))
  new WebSocketServer({ server: app }).on('connection', (socket) => socket.on('message', (said) => socket.send(said)))
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    app.close()
    app.closeAllConnections()
  })
  return `http://127.0.0.1:${(app.address() as AddressInfo).port}`
}

function visit(to: { port: number } | { socketPath: string }): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const options = { ...to, host: '127.0.0.1', headers: { host: 'a.test' }, agent: false }
    const sent = request(options, (response) => response.resume().once('end', () => resolve(response.statusCode)))
    sent.once('error', reject)
    sent.end()
  })
}

function echo(socket: WebSocket, text: string): Promise<string> {
  const answer = new Promise<string>((resolve) => socket.once('message', (said) => resolve(String(said))))
  socket.send(text)
  return answer
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

test('another program takes over, what the former had lives on, and it ends with that', async (t) => {
  const upstream = await startApp(t)
  const place = await makePlace({ access: 'off' })
  const { folder, httpPort } = place
  const unix = join(folder, 'http.sock')
  const config = `storage: ./data
workers: 1
listen: { https: [], http: ["127.0.0.1:${httpPort}", "unix:${unix}"] }
log: { format: json, level: debug, access: off }
sites: { a.test: { upstream: "${upstream}", redirect: off } }
`
  await writeFile(join(folder, 'castellan.yaml'), config)
  const castellan = new Castellan(folder)
  let successor: number | undefined
  t.after(async () => {
    if (successor !== undefined) process.kill(successor, 'SIGTERM')
    await castellan.stop()
    await place.remove()
  })
  await castellan.until('serving')
  const socket = new WebSocket(`ws://127.0.0.1:${httpPort}/`, { headers: { host: 'a.test' } })
  await new Promise((resolve) => socket.once('open', resolve))

  // One that cannot start changes nothing.
  await writeFile(join(folder, 'castellan.yaml'), `${config}flavour: 1\n`)
  const refused = await upgrade(folder)
  assert.equal(refused.code, 1)
  assert.match(
    refused.stderr,
    /^castellan: The new program gives up: The config castellan\.yaml has 1 problem:.*flavour/s,
  )
  await writeFile(
    join(folder, 'castellan.yaml'),
    config.replace('log: {', 'log: { access: { file: ./no/a.log }, ').replace('access: off ', ''),
  )
  assert.match((await upgrade(folder)).stderr, /The new program gives up: The log .* cannot be opened/)
  // Nor does one that has been left everything already.
  const squatter = createServer()
  await new Promise<void>((resolve) => squatter.listen(0, '127.0.0.1', resolve))
  const { port: taken } = squatter.address() as AddressInfo
  await writeFile(join(folder, 'castellan.yaml'), `${config}metrics: 127.0.0.1:${taken}\n`)
  assert.match((await upgrade(folder)).stderr, /The new program gives up: Metrics cannot be served/)
  squatter.close()
  assert.equal(castellan.of('takeover-failed').length, 3)
  await writeFile(join(folder, 'castellan.yaml'), config)
  assert.equal(await visit({ port: httpPort }), 200)
  assert.equal(await echo(socket, 'still the former'), 'still the former')

  const done = await upgrade(folder)
  assert.deepEqual([done.code, done.stderr], [0, ''])
  successor = Number(/^process (\d+) serves now\n$/.exec(done.stdout)?.[1])
  assert.ok(isRunning(successor))
  await castellan.until('handed-over')
  assert.equal(await echo(socket, 'still there'), 'still there')
  assert.equal(await visit({ port: httpPort }), 200)
  assert.equal(await visit({ socketPath: unix }), 200)

  // The next one, by a signal, from the one that was started so.
  const handedOver = (line: LogLine): boolean => line.event === 'handed-over' && line.pid !== successor
  process.kill(successor, 'SIGUSR2')
  const [second] = await castellan.until(handedOver)
  successor = Number(second!.pid)
  assert.equal(await visit({ port: httpPort }), 200)
  socket.close()
  const ends = async (count: number): Promise<void> => void (await castellan.until('stopped', count))
  await ends(2)
  assert.ok(existsSync(unix), 'who leaves does not take the file along that another listens on')
  assert.equal(await visit({ socketPath: unix }), 200)
  assert.deepEqual(castellan.of('worker-exited'), [])
  assert.equal(castellan.of('internal-ca-created').length, 1)
  process.kill(successor, 'SIGTERM')
  await ends(3)
  assert.equal((await castellan.exited).code, 0)
  assert.ok(!existsSync(unix))
  await assert.rejects(visit({ port: httpPort }), { code: 'ECONNREFUSED' })
  successor = undefined
})
