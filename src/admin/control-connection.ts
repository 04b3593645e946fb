import { once } from 'node:events'
import type { Socket } from 'node:net'
import { CastellanError, describeError } from '../errors.ts'
import type { Clock } from '../system/clock.ts'
import type { Answer } from './answers.ts'
import { LineReader } from './line-reader.ts'
import {
  CONTROL_VERSION,
  ControlError,
  type ControlReply,
  formatReply,
  MAX_REQUEST_BYTES,
  parseRequest,
} from './protocol.ts'

/** For the whole of a request, however it comes. */
const REQUEST_MS = 10_000
/** For whoever asked to take what waits to be written. */
const WRITE_MS = 30_000
/** For the other side to close, once all is said. */
const CLOSE_MS = 1_000

/** One connection at the control socket: a request, and the replies to it. Whatever comes costs this connection alone. */
export class ControlConnection {
  readonly #socket: Socket
  readonly #answer: Answer
  readonly #clock: Clock
  /** Aborted when the other side has gone, or we give it up. */
  readonly #gone = new AbortController()
  readonly #closed = Promise.withResolvers<'gone'>()
  readonly #stopping = Promise.withResolvers<'stopping'>()
  #outlivesSocket = false

  constructor(socket: Socket, { answer, clock }: { readonly answer: Answer; readonly clock: Clock }) {
    this.#socket = socket
    this.#answer = answer
    this.#clock = clock
    // Aborted here already, for who waits to write would else take this for a mistake of ours.
    socket.on('error', () => {
      this.#gone.abort()
      socket.destroy()
    })
    socket.once('close', () => {
      this.#gone.abort()
      this.#closed.resolve('gone')
    })
  }

  /** Resolves when the connection is closed. Rejects with what went wrong with the answer, after having told it. */
  async serve(): Promise<void> {
    try {
      await this.#converse()
    } catch (error) {
      if (this.#gone.signal.aborted) return
      const code = error instanceof CastellanError ? error.code : 'control-failed'
      this.#refuse(code, describeError(error))
      throw error
    } finally {
      await this.#close()
    }
  }

  /** What was asked ends only after there is another program to ask. */
  get outlivesSocket(): boolean {
    return this.#outlivesSocket
  }

  /** Tells that the program stops, and resolves when the connection is closed. */
  async stop(): Promise<void> {
    this.#stopping.resolve('stopping')
    await this.#closed.promise
  }

  async #converse(): Promise<void> {
    const line = await this.#within(REQUEST_MS, this.#readLine())
    if (line === 'stopping') return this.#sayStopping()
    const request = parseRequest(line.text)
    this.#outlivesSocket = request.ask === 'upgrade'
    await this.#write({ type: 'hello', version: CONTROL_VERSION, pid: process.pid })
    const replies = this.#answer(request)[Symbol.asyncIterator]()
    for (;;) {
      const next = await Promise.race([replies.next(), this.#stopping.promise, this.#closed.promise])
      if (next === 'stopping') return this.#sayStopping()
      if (next === 'gone') return
      if (next.done === true) break
      await this.#write(next.value)
    }
    await this.#write({ type: 'end' })
  }

  #sayStopping(): void {
    this.#refuse('control-stopping', 'The program is being stopped.')
  }

  /** The last word: whether it is read is not waited for. */
  #refuse(code: string, message: string): void {
    this.#socket.write(formatReply({ type: 'error', code, message }))
  }

  /** One line. Rejects with ControlError. */
  #readLine(): Promise<{ readonly text: string }> {
    const reader = new LineReader(MAX_REQUEST_BYTES)
    let state: 'reading' | 'read' | 'refused' = 'reading'
    return new Promise((resolve, reject) => {
      const refuse = (error: unknown): void => {
        state = 'refused'
        reject(error)
      }
      this.#socket.on('data', (chunk: Buffer) => {
        // One request a connection: who talks on is not listened to. What follows a refusal is read, for that to be heard.
        if (state === 'read') this.#socket.destroy()
        if (state !== 'reading') return
        try {
          const [text] = reader.push(chunk)
          if (text === undefined) return
          state = 'read'
          resolve({ text })
        } catch (error) {
          refuse(error)
        }
      })
      this.#socket.once('end', () => {
        if (state === 'reading') refuse(new ControlError('control-request-invalid', 'The request has no end.'))
      })
    })
  }

  /** Waits for it, but no longer than this, nor longer than until the other side has gone or the program stops. */
  async #within<T>(ms: number, work: Promise<T>): Promise<T | 'stopping'> {
    const over = new AbortController()
    const signal = AbortSignal.any([over.signal, this.#gone.signal])
    const late = this.#clock.sleep(ms, signal).then(() => {
      throw new ControlError('control-silent', `There was no progress for ${ms / 1000} seconds.`)
    })
    try {
      return await Promise.race([work, late, this.#stopping.promise])
    } finally {
      over.abort()
      late.catch(() => {})
      work.catch(() => {})
    }
  }

  /** Takes no more than the other side reads. */
  async #write(reply: ControlReply): Promise<void> {
    this.#gone.signal.throwIfAborted()
    if (this.#socket.write(formatReply(reply))) return
    await this.#within(WRITE_MS, once(this.#socket, 'drain', { signal: this.#gone.signal }))
  }

  async #close(): Promise<void> {
    if (this.#gone.signal.aborted) return
    this.#socket.end()
    await this.#clock.sleep(CLOSE_MS, this.#gone.signal).catch(() => {})
    this.#socket.destroy()
    await this.#closed.promise
  }
}
