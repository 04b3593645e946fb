import type { Socket } from 'node:net'

/** Lets a connection be read or not: not while its reader has enough, nor while something read waits for its turn. */
export class Intake {
  readonly #socket: Socket
  #isHeldBack = false
  /** What came after a request that is still being answered: the next ones, or another protocol's bytes. */
  #ahead: Buffer | undefined

  constructor(socket: Socket) {
    this.#socket = socket
  }

  /** The reader has enough. */
  get isHeldBack(): boolean {
    return this.#isHeldBack
  }

  get hasAhead(): boolean {
    return this.#ahead !== undefined
  }

  holdBack(): void {
    this.#isHeldBack = true
    this.#socket.pause()
  }

  /** The reader takes more. */
  release(): void {
    this.#isHeldBack = false
    if (this.#ahead === undefined) this.#socket.resume()
  }

  /** Keeps bytes whose turn has not come. What follows them stays in the socket. */
  keep(bytes: Buffer): void {
    this.#ahead = this.#ahead === undefined ? bytes : Buffer.concat([this.#ahead, bytes])
    this.#socket.pause()
  }

  /** Gives the bytes that were kept, now that it is their turn, and reads on. */
  take(): Buffer | undefined {
    const ahead = this.#ahead
    if (ahead === undefined) return undefined
    this.#ahead = undefined
    if (!this.#isHeldBack) this.#socket.resume()
    return ahead
  }

  /** Whatever comes from now on is read, and what was kept is of no use. */
  open(): void {
    this.#ahead = undefined
    this.release()
  }
}
