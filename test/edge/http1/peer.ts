import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Socket } from 'node:net'

/** The other end of a connection, which says and hears bytes. */
export class Peer {
  readonly socket: Socket
  #received = ''
  #isEnded = false
  #error: Error | undefined

  constructor(socket: Socket) {
    this.socket = socket
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => {
      this.#received += text
    })
    socket.on('end', () => {
      this.#isEnded = true
    })
    socket.on('error', (error) => {
      this.#error = error
    })
  }

  get received(): string {
    return this.#received
  }

  say(text: string): void {
    this.socket.write(text, 'latin1')
  }

  /** Waits for the text, and gives all that came up to it; that is then forgotten. */
  async hear(text: string): Promise<string> {
    await this.#when(() => this.#received.includes(text), `${JSON.stringify(text)}`)
    const end = this.#received.indexOf(text) + text.length
    const heard = this.#received.slice(0, end)
    this.#received = this.#received.slice(end)
    return heard
  }

  /** Waits until the other side has ended, and gives what else it said. */
  async hearEnd(): Promise<string> {
    await this.#when(() => this.#isEnded, 'the end')
    return this.#received
  }

  /** Waits until the connection is closed: `clean` unless it was reset. */
  async closed(): Promise<'clean' | 'reset'> {
    if (!this.socket.destroyed) await new Promise((resolve) => this.socket.once('close', resolve))
    return this.#error === undefined ? 'clean' : 'reset'
  }

  async #when(isSo: () => boolean, what: string): Promise<void> {
    while (!isSo()) {
      if (this.socket.destroyed || (this.#isEnded && !isSo()))
        assert.fail(`the connection ended (${this.#error?.message ?? 'cleanly'}) before ${what}: ${this.#received}`)
      await Promise.race([once(this.socket, 'data'), once(this.socket, 'end'), once(this.socket, 'close')])
    }
  }
}

/** Lets I/O that is ready run on. */
export async function turns(count = 10): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve))
}

/** Lets I/O run on until this is so. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve))
}
