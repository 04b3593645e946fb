import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { Castellan, makePlace, type Place } from './castellan.ts'

// A site is closed and opened while the program serves it, with all of its workers, over restarts of both.

type Told = { readonly status: number; readonly content: string }

function get({ httpPort }: Place): Promise<Told> {
  return new Promise((resolve, reject) => {
    const headers = { host: 'a.test' }
    const asking = request(
      { port: httpPort, host: '127.0.0.1', headers, agent: false },
      async (response: IncomingMessage) => resolve({ status: response.statusCode!, content: await text(response) }),
    )
    asking.on('error', reject)
    asking.end()
  })
}

/** Whatever worker answers, for connections go to any of them. */
async function statuses(place: Place): Promise<number[]> {
  const told = await Promise.all(Array.from({ length: 20 }, () => get(place)))
  return [...new Set(told.map(({ status }) => status))]
}

async function maintenance(place: Place, ...args: string[]): Promise<string> {
  const command = new Castellan(place.folder, ['maintenance', ...args])
  await command.exited
  return command.text
}

async function startApp(port: number, content: string): Promise<Server> {
  const app = createServer((_, response) => response.end(content))
  await new Promise<void>((resolve) => app.listen(port, '127.0.0.1', resolve))
  return app
}

async function stopApp(app: Server): Promise<void> {
  await new Promise((resolve) => {
    app.close(resolve)
    app.closeAllConnections()
  })
}

async function scene(t: TestContext) {
  const place = await makePlace()
  const app = await startApp(0, 'old')
  const { port } = app.address() as AddressInfo
  const sites = `sites: { a.test: { upstream: "http://127.0.0.1:${port}", issuer: internal, redirect: off } }`
  await place.configure(`workers: 2\n${sites}\n`)
  const running = { castellan: new Castellan(place.folder), app }
  t.after(async () => {
    await running.castellan.stop()
    await stopApp(running.app)
    await place.remove()
  })
  await running.castellan.until('serving')
  return { place, port, running }
}

test('on closes a site in all workers at once, also in those that come later and after a restart, until off', async (t) => {
  const { place, running } = await scene(t)
  assert.equal(await maintenance(place), 'No site is in maintenance.\n')
  assert.deepEqual(await statuses(place), [200])
  await writeFile(join(place.folder, 'soon.html'), 'soon: {status}')
  assert.match(await maintenance(place, 'A.test', 'on', '--page', 'soon.html'), /a\.test +closed since/)
  assert.deepEqual(await statuses(place), [503])
  assert.equal((await get(place)).content, 'soon: 503')

  const [first] = running.castellan.of('worker-ready')
  const pid = Number(/Worker (\d+)/.exec(first!.message)![1])
  process.kill(pid, 'SIGKILL')
  await running.castellan.until('worker-ready', 3)
  assert.deepEqual(await statuses(place), [503])

  await running.castellan.stop()
  running.castellan = new Castellan(place.folder)
  await running.castellan.until('serving')
  assert.match(running.castellan.of('maintenance')[0]!.message, /still in maintenance/)
  assert.deepEqual(await statuses(place), [503])
  assert.equal(await maintenance(place, 'a.test', 'off'), 'No site is in maintenance.\n')
  assert.deepEqual(await statuses(place), [200])
  assert.match(await maintenance(place, 'b.test', 'on'), /There is no site b\.test/)
})

test('hold lets requests wait while the app is swapped, and none of them fails', async (t) => {
  const { place, port, running } = await scene(t)
  assert.match(await maintenance(place, 'a.test', 'hold', '--for', '60s'), /requests wait until/)
  const waiting = Array.from({ length: 10 }, () => get(place))
  await stopApp(running.app)
  running.app = await startApp(port, 'new')
  const pending = Symbol('pending')
  assert.equal(await Promise.race([...waiting, new Promise((resolve) => setTimeout(resolve, 200, pending))]), pending)
  await maintenance(place, 'a.test', 'off')
  for (const { status, content } of await Promise.all(waiting)) assert.deepEqual([status, content], [200, 'new'])
})
