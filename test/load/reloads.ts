import { writeFile } from 'node:fs/promises'
import { Agent as HttpAgent, type IncomingMessage, request as requestHttp } from 'node:http'
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2'
import { Agent as HttpsAgent, request as requestHttps } from 'node:https'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { WebSocket } from 'ws'
import { Castellan, type LogLine, makePlace, type Place } from '../e2e/castellan.ts'
import type { Scope } from './loaded.ts'
import { SoakOrigin } from './soak-origin.ts'

/** What clients ask in, each of which may have no failure. */
export const KINDS = ['keep-alive', 'keep-alive TLS', 'new connection', 'HTTP/2', 'WebSocket', 'upload'] as const
export type Kind = (typeof KINDS)[number]

export type Figures = {
  readonly answered: Readonly<Record<Kind, number>>
  /** What became of those that failed, in words. */
  readonly failures: readonly string[]
  /** From the order to the word in the log, the longest, in ms. */
  readonly slowestReloadMs: number
  readonly slowestTakeoverMs: number
}

export type ReloadsOptions = { readonly reloads: number; readonly takeovers: number }

const UPLOAD_PIECES = 20
const PIECE = Buffer.alloc(20_000)
/** What lasts long enough to see a reload or two. */
const PAUSE_MS = 50
const MESSAGES = 30
/** A request that is not answered within this has failed, however busy the machine is. */
const PATIENCE_MS = 60_000

/** The program goes over to other configs, and leaves all to other programs, while clients of all kinds are at it. */
export class ReloadsUnderLoad {
  readonly #place: Place
  readonly #castellan: Castellan
  readonly #upstream: string
  readonly #answered = Object.fromEntries(KINDS.map((kind) => [kind, 0])) as Record<Kind, number>
  readonly #failures: string[] = []
  readonly #agents = [1, 2].map(() => new HttpAgent({ keepAlive: true, maxSockets: 1 }))
  readonly #tlsAgents = [1, 2].map(() => new HttpsAgent({ keepAlive: true, maxSockets: 1 }))
  #isOver = false
  #pid: number
  #version = 0

  private constructor(place: Place, castellan: Castellan, upstream: string) {
    this.#place = place
    this.#castellan = castellan
    this.#upstream = upstream
    this.#pid = castellan.process.pid!
  }

  static async start(t: Scope): Promise<ReloadsUnderLoad> {
    const origin = await SoakOrigin.start(t)
    const place = await makePlace()
    await writeFile(join(place.folder, 'castellan.yaml'), configOf(place, origin.url, 0))
    const castellan = new Castellan(place.folder)
    const running = new ReloadsUnderLoad(place, castellan, origin.url)
    t.after(async () => {
      process.kill(running.#pid, 'SIGINT')
      await castellan.exited
      await place.remove()
    })
    await castellan.until('certificate-issued')
    await castellan.until('serving')
    return running
  }

  async run({ reloads, takeovers }: ReloadsOptions, onProgress: (said: string) => void): Promise<Figures> {
    const clients = this.#clients()
    let [slowestReloadMs, slowestTakeoverMs] = [0, 0]
    for (let reload = 1; reload <= reloads; reload++) {
      const reloadMs = await this.#reload()
      slowestReloadMs = Math.max(slowestReloadMs, reloadMs)
      const isDue = Math.floor((reload * takeovers) / reloads) > Math.floor(((reload - 1) * takeovers) / reloads)
      if (isDue) slowestTakeoverMs = Math.max(slowestTakeoverMs, await this.#takeOver())
      const answered = JSON.stringify(this.#answered)
      onProgress(`${reload} reloads, ${Math.round(reloadMs)} ms: ${answered}, ${this.#failures.length} failures`)
    }
    this.#isOver = true
    await Promise.all(clients)
    for (const agent of [...this.#agents, ...this.#tlsAgents]) agent.destroy()
    return { answered: this.#answered, failures: this.#failures, slowestReloadMs, slowestTakeoverMs }
  }

  /** In ms. */
  async #reload(): Promise<number> {
    const { folder } = this.#place
    const since = this.#castellan.lines.length
    await writeFile(join(folder, 'castellan.yaml'), configOf(this.#place, this.#upstream, ++this.#version))
    const began = performance.now()
    process.kill(this.#pid, 'SIGHUP')
    await this.#castellan.until('reloaded', 1, since, PATIENCE_MS)
    return performance.now() - began
  }

  async #takeOver(): Promise<number> {
    const since = this.#castellan.lines.length
    const began = performance.now()
    process.kill(this.#pid, 'SIGUSR2')
    const isEnd = ({ event }: LogLine): boolean => event === 'handed-over' || event === 'takeover-failed'
    const [end] = await this.#castellan.until(isEnd, 1, since, PATIENCE_MS)
    if (typeof end!.pid !== 'number') throw new Error(end!.message)
    this.#pid = end!.pid
    return performance.now() - began
  }

  #clients(): Promise<void>[] {
    const repeat = async (kind: Kind, ask: () => Promise<void>): Promise<void> => {
      while (!this.#isOver) {
        try {
          await inTime(ask())
          this.#answered[kind]++
        } catch (error) {
          this.#failures.push(`${kind}: ${error instanceof Error ? error.message : error}`)
        }
      }
    }
    const http2 = new Http2Client(this.#place.httpsPort)
    return [
      ...this.#agents.map((agent) => repeat('keep-alive', () => this.#get('http', agent))),
      ...this.#tlsAgents.map((agent) => repeat('keep-alive TLS', () => this.#get('https', agent))),
      repeat('new connection', () => this.#get('http', false)),
      repeat('new connection', () => this.#get('https', false)),
      repeat('HTTP/2', () => http2.get()).then(() => http2.close()),
      repeat('WebSocket', () => this.#converse()),
      repeat('WebSocket', () => this.#converse()),
      repeat('upload', () => this.#upload()),
      repeat('upload', () => this.#upload()),
    ]
  }

  async #get(scheme: 'http' | 'https', agent: HttpAgent | false): Promise<void> {
    const port = scheme === 'http' ? this.#place.httpPort : this.#place.httpsPort
    const make = scheme === 'http' ? requestHttp : requestHttps
    const headers = { host: 'localhost' }
    const to = { port, host: '127.0.0.1', path: '/?n=1', agent, headers, ...CLIENT_TLS }
    const sent = make(to)
    const answer = answerTo(sent)
    sent.end()
    expect(await answer, '200 1 0')
    // Clients have something else to do now and then, and what they share the machine with, too.
    await pause(5)
  }

  async #upload(): Promise<void> {
    const headers = { host: 'localhost', 'content-length': PIECE.length * UPLOAD_PIECES }
    const to = { port: this.#place.httpPort, host: '127.0.0.1', path: '/?n=2', method: 'POST', agent: false, headers }
    const sent = requestHttp(to)
    const answer = answerTo(sent)
    answer.catch(() => {})
    for (let piece = 0; piece < UPLOAD_PIECES && !sent.destroyed; piece++) {
      sent.write(PIECE)
      await pause(PAUSE_MS)
    }
    sent.end()
    expect(await answer, `200 2 ${PIECE.length * UPLOAD_PIECES}`)
  }

  async #converse(): Promise<void> {
    const socket = new WebSocket(`wss://127.0.0.1:${this.#place.httpsPort}/`, [], {
      ...CLIENT_TLS,
      headers: { host: 'localhost' },
    })
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once('open', resolve)
        socket.on('error', reject)
        socket.once('close', (code) => reject(new Error(`closed with ${code}`)))
        let left = MESSAGES
        socket.on('message', (said) => {
          if (String(said) !== `message ${left}`) reject(new Error(`echoed ${said}`))
          left--
        })
      })
      for (let left = MESSAGES; left > 0; left--) {
        const echoed = new Promise<void>((resolve, reject) => {
          socket.once('message', () => resolve())
          socket.once('close', (code) =>
            reject(new Error(`closed with ${code} before ${left} of ${MESSAGES} messages`)),
          )
        })
        socket.send(`message ${left}`)
        await echoed
        socket.removeAllListeners('close')
        await pause(PAUSE_MS)
      }
    } finally {
      socket.removeAllListeners('close')
      socket.close()
    }
  }
}

const REFUSED_STREAM = 7

class RefusedError extends Error {}

/** A connection that is used until the server says that it goes away, as browsers do. */
class Http2Client {
  readonly #port: number
  #session: ClientHttp2Session | undefined

  constructor(port: number) {
    this.#port = port
  }

  /** Node's client itself refuses a stream that is to begin just as GOAWAY is read: it was never sent (RFC 9113 §8.7). */
  async get(): Promise<void> {
    try {
      await this.#ask(this.#usable())
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error
      this.#session = undefined
      await this.#ask(this.#usable())
    }
  }

  #ask(session: ClientHttp2Session): Promise<void> {
    return new Promise((resolve, reject) => {
      const stream = session.request({ ':path': '/?n=3' })
      let text = ''
      stream.setEncoding('utf8')
      stream.on('response', (headers) => {
        text = `${headers[':status']} `
      })
      stream.on('data', (piece: string) => {
        text += piece
      })
      stream.once('error', (error) => reject(stream.rstCode === REFUSED_STREAM ? new RefusedError() : error))
      stream.once('close', () => {
        if (text === '200 3 0') setTimeout(resolve, 5)
        else reject(new Error(`answered ${JSON.stringify(text.slice(0, 60))}, code ${stream.rstCode}`))
      })
    })
  }

  close(): void {
    this.#session?.close()
  }

  #usable(): ClientHttp2Session {
    if (this.#session !== undefined && !this.#session.closed && !this.#session.destroyed) return this.#session
    const session = connectHttp2('https://localhost', {
      createConnection: () => connectTls({ port: this.#port, host: '127.0.0.1', ALPNProtocols: ['h2'], ...CLIENT_TLS }),
    })
    session.on('error', () => {})
    session.once('goaway', () => {
      if (this.#session === session) this.#session = undefined
    })
    this.#session = session
    return session
  }
}

const CLIENT_TLS = { servername: 'localhost', rejectUnauthorized: false }

/** Each version has something that workers must know of. */
function configOf({ httpsPort, httpPort }: Place, upstream: string, version: number): string {
  const site = `{ upstream: "${upstream}", redirect: off, certificate: { keys: [ecdsa-p256] } }`
  return `storage: ./data
listen: { https: "127.0.0.1:${httpsPort}", http: "127.0.0.1:${httpPort}" }
log: { format: json, level: info, access: off }
workers: 2
sites:
  localhost: ${site}
  v${version}.localhost: ${site}
`
}

function answerTo(sent: ReturnType<typeof requestHttp>): Promise<string> {
  return new Promise((resolve, reject) => {
    sent.once('error', reject)
    sent.once('response', (response) => read(response).then(resolve, reject))
  })
}

async function read(response: IncomingMessage): Promise<string> {
  let text = ''
  for await (const piece of response) text += piece
  return `${response.statusCode} ${text}`
}

function expect(answer: string, expected: string): void {
  if (answer !== expected) throw new Error(`answered ${JSON.stringify(answer.slice(0, 60))}`)
}

async function inTime(work: Promise<void>): Promise<void> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new Error('nothing was heard of it')), PATIENCE_MS)
  try {
    await Promise.race([work, late.promise])
  } finally {
    clearTimeout(timer)
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
