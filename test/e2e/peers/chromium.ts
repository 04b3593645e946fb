import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'
import { promisify } from 'node:util'
import { WebSocket } from 'ws'

/** What the browser says of a response, as far as tests read it. */
export type BrowserResponse = {
  readonly url: string
  readonly status: number
  readonly protocol: string
  readonly fromDiskCache: boolean
  readonly connectionId: number
  readonly securityDetails?: { readonly protocol: string; readonly issuer: string; readonly keyExchangeGroup?: string }
}

type Message = { id?: number; method?: string; params?: Record<string, unknown>; result?: unknown; error?: unknown }

const PATIENCE_MS = 30_000

/** It visits nobody but this machine, and needs no sandbox for that, which root and containers have none of. */
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
  '--no-proxy-server',
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE *.localhost, EXCLUDE 127.0.0.1',
  '--remote-debugging-port=0',
]

/** A page of a real browser, spoken to by the DevTools protocol. */
export class Chromium {
  readonly responses: BrowserResponse[] = []
  readonly #socket: WebSocket
  readonly #answers = new Map<number, PromiseWithResolvers<unknown>>()
  #session: string | undefined
  #nextId = 1
  #onLoad: () => void = () => {}

  private constructor(socket: WebSocket) {
    this.#socket = socket
    socket.on('message', (text) => this.#read(JSON.parse(String(text))))
  }

  /** Starts it with a folder of its own, which holds what it trusts besides the authorities that it brings. */
  static async start(t: TestContext, { trust }: { readonly trust?: string } = {}): Promise<Chromium> {
    const home = await mkdtemp(join(tmpdir(), 'castellan-chromium-'))
    if (trust !== undefined) await trustRoot(home, trust)
    const child = spawn('chromium', [...FLAGS, `--user-data-dir=${join(home, 'profile')}`], {
      env: { ...process.env, HOME: home, XDG_DATA_HOME: join(home, '.local/share') },
      stdio: ['ignore', 'ignore', 'pipe'],
      // Its helpers are of its group, and end with it.
      detached: true,
    })
    const closed = once(child, 'close')
    t.after(async () => {
      if (child.exitCode === null && child.signalCode === null) process.kill(-child.pid!, 'SIGKILL')
      await closed
      await rm(home, { recursive: true, force: true, maxRetries: 10 })
    })
    const socket = new WebSocket(await debuggerUrl(child))
    await once(socket, 'open')
    const browser = new Chromium(socket)
    await browser.#openPage()
    return browser
  }

  /** Goes there, and waits until the page is loaded. Gives what the browser says if it could not. */
  async visit(url: string): Promise<string | undefined> {
    const loaded = new Promise<void>((resolve) => {
      this.#onLoad = resolve
    })
    const { errorText } = (await this.#ask('Page.navigate', { url })) as { errorText?: string }
    if (errorText === undefined) await loaded
    return errorText
  }

  /** What an expression of the page comes to, once it is settled. */
  async evaluate<T>(expression: string): Promise<T> {
    const options = { expression, awaitPromise: true, returnByValue: true }
    const answer = (await this.#ask('Runtime.evaluate', options)) as {
      result: { value: T }
      exceptionDetails?: unknown
    }
    if (answer.exceptionDetails !== undefined) throw new Error(JSON.stringify(answer.exceptionDetails))
    return answer.result.value
  }

  /** Does what leads to another page, and waits until that is loaded. */
  async follow(expression: string): Promise<void> {
    const loaded = new Promise<void>((resolve) => {
      this.#onLoad = resolve
    })
    await this.evaluate(`void (${expression})`)
    await loaded
  }

  async #openPage(): Promise<void> {
    const { targetId } = (await this.#ask('Target.createTarget', { url: 'about:blank' })) as { targetId: string }
    const attached = await this.#ask('Target.attachToTarget', { targetId, flatten: true })
    this.#session = (attached as { sessionId: string }).sessionId
    for (const domain of ['Page', 'Network', 'Runtime']) await this.#ask(`${domain}.enable`)
  }

  #ask(method: string, params: Record<string, unknown> = {}): Promise<unknown> {
    const id = this.#nextId++
    const answer = Promise.withResolvers<unknown>()
    this.#answers.set(id, answer)
    const giveUp = setTimeout(() => answer.reject(new Error(`the browser did not answer ${method}`)), PATIENCE_MS)
    this.#socket.send(JSON.stringify({ id, method, params, sessionId: this.#session }))
    return answer.promise.finally(() => clearTimeout(giveUp))
  }

  #read({ id, method, params, result, error }: Message): void {
    if (id !== undefined) {
      const answer = this.#answers.get(id)
      if (error === undefined) answer?.resolve(result)
      else answer?.reject(new Error(JSON.stringify(error)))
    }
    if (method === 'Network.responseReceived') this.responses.push(params?.response as BrowserResponse)
    if (method === 'Page.loadEventFired') this.#onLoad()
  }
}

/** Where Chromium looks for what a user trusts: in the one place, or in older versions in the other. */
async function trustRoot(home: string, root: string): Promise<void> {
  for (const folder of ['.local/share/pki/nssdb', '.pki/nssdb']) {
    const database = `sql:${join(home, folder)}`
    await mkdir(join(home, folder), { recursive: true })
    await promisify(execFile)('certutil', ['-d', database, '-N', '--empty-password'])
    await promisify(execFile)('certutil', ['-d', database, '-A', '-t', 'C,,', '-n', 'castellan', '-i', root])
  }
}

async function debuggerUrl(child: ChildProcess): Promise<string> {
  const giveUp = AbortSignal.timeout(PATIENCE_MS)
  for await (const line of createInterface({ input: child.stderr!, signal: giveUp })) {
    const url = /^DevTools listening on (ws:\S+)/.exec(line)?.[1]
    if (url !== undefined) {
      child.stderr!.resume()
      return url
    }
  }
  throw new Error('Chromium did not start')
}
