import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, readFile, writeFile } from 'node:fs/promises'
import { type RequestOptions, request } from 'node:https'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { Castellan, freePort, makePlace } from '../e2e/castellan.ts'

const EXAMPLE = join(import.meta.dirname, '../../examples/two-upstreams')

/** What one request got: the port of the copy that answered, and its cookie. */
type Told = { readonly status: number; readonly port: number; readonly cookie: string | undefined }

/** One copy of the app, as it is killed and started again. */
class Copy {
  readonly port: number
  readonly #folder: string
  #process: ChildProcess | undefined

  constructor(folder: string, port: number) {
    this.#folder = folder
    this.port = port
  }

  async start(): Promise<void> {
    const env = { ...process.env, PORT: String(this.port) }
    this.#process = spawn(process.execPath, [join(this.#folder, 'app.js')], {
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [said] = await once(this.#process.stdout!, 'data')
    assert.match(String(said), /The app answers at/)
  }

  async kill(): Promise<void> {
    const running = this.#process
    this.#process = undefined
    if (running === undefined) return
    running.kill('SIGKILL')
    await once(running, 'exit')
  }
}

/** The example as its README has it, on other ports. `amend` changes the config as a reader would. */
async function start(t: TestContext, amend: (config: string) => string = (config) => config) {
  const place = await makePlace()
  await cp(EXAMPLE, place.folder, { recursive: true })
  const copies = [new Copy(place.folder, await freePort()), new Copy(place.folder, await freePort())] as const
  const file = join(place.folder, 'castellan.yaml')
  const config = amend(await readFile(file, 'utf8'))
    .replace('":8443"', `"127.0.0.1:${place.httpsPort}"`)
    .replace('":8080"', `"127.0.0.1:${place.httpPort}"`)
    .replace('localhost:3001', `localhost:${copies[0].port}`)
    .replace('localhost:3002', `localhost:${copies[1].port}`)
  await writeFile(file, `${config}\nlog: { format: json, level: debug }\n`)
  for (const copy of copies) await copy.start()
  const castellan = new Castellan(place.folder)
  t.after(async () => {
    await castellan.stop()
    for (const copy of copies) await copy.kill()
    await place.remove()
  })
  await castellan.until('certificate-issued', 2)
  await castellan.until('serving')
  const ca = await readFile(join(place.folder, 'data/issuers/internal/root.crt'), 'utf8')
  const to = { ca, host: '127.0.0.1', port: place.httpsPort, servername: 'app.localhost', agent: false, path: '/' }
  const ask = (cookie?: string): Promise<Told> =>
    askOnce({ ...to, headers: { host: 'app.localhost', ...(cookie !== undefined && { cookie }) } })
  await untilServed(ask)
  return { copies, castellan, ask }
}

function askOnce(options: RequestOptions): Promise<Told> {
  return new Promise((resolve, reject) => {
    const asking = request(options, async (response) => {
      const port = Number((await text(response)).match(/at port (\d+)/)?.[1])
      resolve({ status: response.statusCode!, port, cookie: response.headers['set-cookie']?.[0]?.split(';')[0] })
    })
    asking.on('error', reject)
    asking.end()
  })
}

/** The workers hear of a certificate a moment after the log says that there is one. */
async function untilServed(ask: () => Promise<Told>): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await ask()
      return
    } catch (error) {
      if (attempt === 50) throw error
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
}

/** Asks so often, each of which must be answered by an app, and gives the ports of those that did. */
async function portsOf(ask: () => Promise<Told>, times: number): Promise<Set<number>> {
  const told: Told[] = []
  for (let each = 0; each < times; each++) told.push(await ask())
  assert.deepEqual(new Set(told.map(({ status }) => status)), new Set([200]))
  return new Set(told.map(({ port }) => port))
}

test('two copies of an app: one dies, which no visitor notices, and gets requests again when it is back', async (t) => {
  const { copies, castellan, ask } = await start(t)
  const [first, second] = copies
  const both = new Set([first.port, second.port])
  assert.deepEqual(await portsOf(ask, 40), both)

  await first.kill()
  assert.deepEqual(await portsOf(ask, 10), new Set([second.port]))
  await castellan.until('upstream-down')
  assert.deepEqual(await portsOf(ask, 10), new Set([second.port]))

  const since = castellan.lines.length
  await first.start()
  await castellan.until('upstream-up', 1, since)
  const giveUp = Date.now() + 30_000
  const seen = new Set<number>()
  while (seen.size < 2 && Date.now() < giveUp) for (const port of await portsOf(ask, 10)) seen.add(port)
  assert.deepEqual(seen, both)
})

test('sticky, as its README says: a client comes back to its copy, and to the other when that is gone', async (t) => {
  const { copies, ask } = await start(t, (config) => config.replace('# sticky: ', 'sticky: '))
  const { port, cookie } = await ask()
  assert.match(cookie ?? '', /^copy=/)
  assert.deepEqual(await portsOf(() => ask(cookie), 20), new Set([port]))
  const [gone, left] = port === copies[0].port ? copies : [copies[1], copies[0]]
  await gone.kill()
  const moved = await ask(cookie)
  assert.deepEqual([moved.status, moved.port], [200, left.port])
  assert.notEqual(moved.cookie, cookie)
  assert.deepEqual(await portsOf(() => ask(moved.cookie), 10), new Set([left.port]))
})
