import { Agent as HttpAgent, type IncomingMessage, request as requestHttp } from 'node:http'
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2'
import { Agent as HttpsAgent, request as requestHttps } from 'node:https'
import { WebSocket } from 'ws'
import { dice, pick } from '../edge/http2/hpack/dice.ts'
import { type Loaded, type Scope, startLoaded } from './loaded.ts'
import { LARGE_BYTES, SoakOrigin } from './soak-origin.ts'

/** What became of requests. `lost`: no answer and no sign of a failure; `wrong`: an answer that is not to this request. */
export type Tally = {
  answered: number
  toldFailed: number
  brokenOff: number
  refused: number
  aborted: number
  lost: number
  wrong: number
}

export type Figures = {
  readonly tally: Tally
  readonly faults: string[]
  /** Of all workers, without load: before, and after each part of the time. */
  readonly idle: readonly Idle[]
  readonly mostMebibytes: number
  readonly replaced: Readonly<Record<'killed' | 'drained', number>>
}

type Idle = { readonly mebibytes: number; readonly descriptors: number }

/** What becomes of workers: SIGKILL ends them, SIGTERM lets them finish, and either way the supervisor replaces them. */
export const WORKER_TROUBLES = ['killed', 'drained', 'both', 'stay'] as const

export type SoakOptions = {
  readonly seed: number
  /** What leaks shows only in workers that grow old, so they may stay. */
  readonly workers: (typeof WORKER_TROUBLES)[number]
  /** The application never fails. If workers are only drained as well, no request has a reason to fail. */
  readonly appStays: boolean
}

/** Without a sign of a request. Longer than the edge takes to give up on anything here. */
const PATIENCE_MS = 45_000
const WORKERS = 2
/** Of the time, an even number: what still grows in the second half grows for ever. */
const PARTS = 4
/** Drained for 10 s at most, and replaced after 30 at most. */
const MAX_REPLACING_MS = 45_000
const MIB = 1024 * 1024

type Outcome = keyof Tally
type Dice = () => number

/** Clients, upstreams and workers that come and go for so long. */
export class Soak {
  readonly #loaded: Loaded
  readonly #origin: SoakOrigin
  readonly #random: Dice
  readonly #options: SoakOptions
  readonly #tally: Tally = { answered: 0, toldFailed: 0, brokenOff: 0, refused: 0, aborted: 0, lost: 0, wrong: 0 }
  readonly #faults: string[] = []
  #number = 0
  #isOver = false
  readonly #replaced = { killed: 0, drained: 0 }

  private constructor(loaded: Loaded, origin: SoakOrigin, options: SoakOptions) {
    this.#options = options
    this.#loaded = loaded
    this.#origin = origin
    this.#random = dice(options.seed)
  }

  static async start(t: Scope, options: SoakOptions): Promise<Soak> {
    const origin = await SoakOrigin.start(t)
    return new Soak(await startLoaded(t, { upstream: origin.url, workers: WORKERS }), origin, options)
  }

  async run(ms: number, onProgress: (tally: Tally, mebibytes: number) => void): Promise<Figures> {
    // So that what a process needs once is there before it is measured.
    await this.#load(Math.min(10_000, ms / 4))
    const idle = [await this.#rest()]
    let most = 0
    const watch = setInterval(() => {
      const mebibytes = this.#loaded.workerMemory / MIB
      most = Math.max(most, mebibytes)
      onProgress(this.#tally, Math.round(mebibytes))
    }, 5_000)
    for (let part = 0; part < PARTS; part++) {
      const trouble = this.#trouble(performance.now() + ms / PARTS)
      await this.#load(ms / PARTS)
      await trouble
      idle.push(await this.#rest())
    }
    clearInterval(watch)
    return {
      tally: this.#tally,
      faults: this.#faults,
      idle,
      mostMebibytes: Math.round(most),
      replaced: this.#replaced,
    }
  }

  async #load(ms: number): Promise<void> {
    this.#isOver = false
    setTimeout(() => {
      this.#isOver = true
    }, ms)
    const clients = [
      ...Array.from({ length: 8 }, () => this.#http1Client('http')),
      ...Array.from({ length: 8 }, () => this.#http1Client('https')),
      ...Array.from({ length: 4 }, () => this.#http2Client()),
      ...Array.from({ length: 4 }, () => this.#webSocketClient()),
    ]
    await Promise.all(clients)
  }

  /** Resets and absences of the application, and workers that die or are told to end. */
  async #trouble(until: number): Promise<void> {
    const { workers, appStays } = this.#options
    while (performance.now() < until) {
      await pause(1_000 + this.#random() * 4_000)
      const isOfApp = workers === 'stay' || (!appStays && this.#random() < 0.6)
      if (!isOfApp) await this.#replaceWorker(workers === 'both' ? pick(this.#random, ['killed', 'drained']) : workers)
      else if (!appStays) await this.#origin.fail(this.#random() < 0.5 ? 0 : 300)
    }
  }

  async #replaceWorker(how: 'killed' | 'drained'): Promise<void> {
    const { workers } = this.#loaded
    // One of two, and not again before the next is there.
    if (workers.length < WORKERS) return
    const worker = pick(this.#random, workers)
    process.kill(worker, how === 'killed' ? 'SIGKILL' : 'SIGTERM')
    this.#replaced[how]++
    const giveUp = performance.now() + MAX_REPLACING_MS
    const isReplaced = (): boolean => this.#loaded.workers.length === WORKERS && !this.#loaded.workers.includes(worker)
    do await pause(200)
    while (!isReplaced() && performance.now() < giveUp)
  }

  /** Without load, and with no connection to the application that waits for the next request. */
  async #rest(): Promise<Idle> {
    await pause(2_000)
    await this.#origin.fail(0)
    await pause(3_000)
    const { workerMemory, workerDescriptors } = this.#loaded
    return { mebibytes: Math.round(workerMemory / MIB), descriptors: workerDescriptors }
  }

  async #http1Client(scheme: 'http' | 'https'): Promise<void> {
    const options = { keepAlive: true, maxSockets: 1, rejectUnauthorized: false, servername: 'localhost' }
    while (!this.#isOver) {
      const agent = scheme === 'http' ? new HttpAgent(options) : new HttpsAgent(options)
      for (let left = 1 + this.#random() * 40; left > 0 && !this.#isOver; left--)
        this.#tally[await this.#askHttp1(scheme, agent)]++
      agent.destroy()
    }
  }

  #askHttp1(scheme: 'http' | 'https', agent: HttpAgent): Promise<Outcome> {
    const number = ++this.#number
    const kind = pick(this.#random, ['get', 'get', 'get', 'upload', 'large', 'slow', 'abort', 'hang'] as const)
    const [method, path] = kind === 'upload' ? ['POST', '/'] : ['GET', pathOf(kind)]
    const make = scheme === 'http' ? requestHttp : requestHttps
    return this.#bounded(`${scheme} ${kind} ${number}`, (settle, onSign) => {
      const port = this.#loaded.ports[scheme]
      const to = { port, host: '127.0.0.1', agent, method, path: `${path}?n=${number}`, headers: { host: 'localhost' } }
      const request = make(to, (response) => this.#read(response, kind, number, settle, onSign))
      request.on('error', () => settle('refused'))
      if (kind === 'abort' || kind === 'hang')
        setTimeout(() => {
          settle('aborted')
          request.destroy()
        }, this.#random() * 50)
      request.end(kind === 'upload' ? Buffer.alloc(UPLOAD_BYTES) : undefined)
    })
  }

  #read(
    response: IncomingMessage,
    kind: string,
    number: number,
    settle: (outcome: Outcome) => void,
    onSign: () => void,
  ): void {
    const status = response.statusCode ?? 0
    let bytes = 0
    let text = ''
    response.on('data', (piece: Buffer) => {
      onSign()
      bytes += piece.length
      if (text.length < 100) text += piece.toString('latin1', 0, 100)
      if (kind !== 'slow' || this.#isOver) return
      response.pause()
      setTimeout(() => response.resume(), 5)
    })
    response.on('error', () => settle('brokenOff'))
    response.on('close', () => settle('brokenOff'))
    response.on('end', () => {
      if (!response.complete) settle('brokenOff')
      else settle(this.#judge(status, String(response.headers['x-number'] ?? ''), kind, number, bytes, text))
    })
  }

  #judge(status: number, told: string, kind: string, number: number, bytes: number, text: string): Outcome {
    if (status === 502 || status === 504) return 'toldFailed'
    const isLarge = kind === 'large' || kind === 'slow'
    const isRight = isLarge ? bytes === LARGE_BYTES : text === `${number} ${kind === 'upload' ? UPLOAD_BYTES : 0}`
    if (status === 200 && told === String(number) && isRight) return 'answered'
    this.#faults.push(`${kind} ${number}: ${status}, number ${told}, ${bytes} bytes, ${text.slice(0, 60)}`)
    return 'wrong'
  }

  async #http2Client(): Promise<void> {
    while (!this.#isOver) {
      const session = connectHttp2('https://localhost', { createConnection: () => this.#loaded.connectHttps('h2') })
      session.on('error', () => {})
      for (let left = 1 + this.#random() * 20; left > 0 && !this.#isOver && !session.closed; left--) {
        const count = 1 + Math.floor(this.#random() * 10)
        const outcomes = await Promise.all(Array.from({ length: count }, () => this.#askHttp2(session)))
        for (const outcome of outcomes) this.#tally[outcome]++
      }
      session.destroy()
      await pause(5)
    }
  }

  #askHttp2(session: ClientHttp2Session): Promise<Outcome> {
    const number = ++this.#number
    const kind = pick(this.#random, ['get', 'get', 'get', 'upload', 'large', 'abort', 'hang'] as const)
    const [method, path] = kind === 'upload' ? ['POST', '/'] : ['GET', pathOf(kind)]
    return this.#bounded(`h2 ${kind} ${number}`, (settle, onSign) => {
      if (session.closed || session.destroyed) return settle('refused')
      const stream = session.request(
        { ':method': method, ':path': `${path}?n=${number}` },
        { endStream: method === 'GET' },
      )
      let status = 0
      let told = ''
      let bytes = 0
      let text = ''
      let hasEnded = false
      stream.on('response', (headers) => {
        status = Number(headers[':status'])
        told = String(headers['x-number'] ?? '')
      })
      stream.on('data', (piece: Buffer) => {
        onSign()
        bytes += piece.length
        if (text.length < 100) text += piece.toString('latin1', 0, 100)
      })
      stream.on('error', () => settle(status === 0 ? 'refused' : 'brokenOff'))
      stream.on('end', () => {
        hasEnded = true
      })
      stream.on('close', () => {
        if (status === 0) settle('refused')
        else if (!hasEnded || stream.rstCode !== 0) settle('brokenOff')
        else settle(this.#judge(status, told, kind, number, bytes, text))
      })
      if (kind === 'abort' || kind === 'hang')
        setTimeout(() => {
          settle('aborted')
          stream.close(8)
        }, this.#random() * 50)
      if (method === 'POST') stream.end(Buffer.alloc(UPLOAD_BYTES))
    })
  }

  async #webSocketClient(): Promise<void> {
    while (!this.#isOver) {
      const number = ++this.#number
      const outcome = await this.#bounded(`websocket ${number}`, (settle) => {
        const options = { rejectUnauthorized: false, servername: 'localhost', headers: { host: 'localhost' } }
        const socket = new WebSocket(`wss://127.0.0.1:${this.#loaded.ports.https}/`, [], options)
        let left = 20
        socket.on('open', () => socket.send(`${number} ${left}`))
        socket.on('message', (message) => {
          if (String(message) !== `${number} ${left}`) settle('wrong')
          else if (--left > 0) socket.send(`${number} ${left}`)
          else {
            settle('answered')
            socket.close()
          }
        })
        socket.on('unexpected-response', () => {
          settle('toldFailed')
          socket.terminate()
        })
        socket.on('error', () => settle('brokenOff'))
        socket.on('close', () => settle('brokenOff'))
      })
      this.#tally[outcome]++
      await pause(5)
    }
  }

  /** The first outcome that it settles on; lost if none comes, and no sign of one for long. */
  #bounded(what: string, begin: (settle: (outcome: Outcome) => void, onSign: () => void) => void): Promise<Outcome> {
    return new Promise((resolve) => {
      const giveUp = setTimeout(() => {
        this.#faults.push(`${what}: nothing was heard of it`)
        resolve('lost')
      }, PATIENCE_MS)
      const settle = (outcome: Outcome): void => {
        clearTimeout(giveUp)
        resolve(outcome)
      }
      begin(settle, () => giveUp.refresh())
    })
  }
}

const UPLOAD_BYTES = 100_000

function pathOf(kind: string): string {
  if (kind === 'large' || kind === 'slow') return '/large'
  return kind === 'hang' ? '/hang' : '/'
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
