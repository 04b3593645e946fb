import { createServer, type Server, type Socket } from 'node:net'
import { CastellanError, describeError } from '../errors.ts'
import type { Clock } from '../system/clock.ts'
import type { Log } from '../telemetry/log.ts'
import type { Answer } from './answers.ts'
import { ControlConnection } from './control-connection.ts'
import { fitsSocket, placeElsewhere, placeInStorage, type SocketPlace } from './socket-place.ts'

export type ControlSocketOptions = {
  /** The storage folder, locked for us. */
  readonly folder: string
  readonly answer: Answer
  readonly clock: Clock
  readonly log: Log
}

/** An operator asks one thing at a time; these are for scripts. */
const MAX_CONNECTIONS = 32

/**
 * Opens the socket at which the owner of the storage folder, and nobody else, can ask the program. Never rejects: a
 * program that cannot be asked serves all the same, and the log says that it cannot.
 */
export async function openControlSocket(options: ControlSocketOptions): Promise<ControlSocket> {
  const control = new ControlSocket(options)
  await control.open()
  return control
}

export class ControlSocket {
  readonly #options: ControlSocketOptions
  readonly #server: Server
  readonly #connections = new Set<ControlConnection>()
  #place: SocketPlace | undefined

  constructor(options: ControlSocketOptions) {
    this.#options = options
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket))
    this.#server.maxConnections = MAX_CONNECTIONS
  }

  /** Where it is; undefined if it could not be opened. */
  get path(): string | undefined {
    return this.#place?.path
  }

  async open(): Promise<void> {
    const { folder, log } = this.#options
    try {
      const inside = await placeInStorage(folder)
      if (!fitsSocket(inside.path) || (await this.#tryAt(inside)) !== undefined) {
        const error = await this.#tryAt(await placeElsewhere(folder))
        if (error !== undefined) throw error
      }
      // What fails after this is one accept, for want of descriptors say.
      this.#server.on('error', () => {})
      log.debug('control-open', `"castellan certs" asks this program at ${this.path}.`)
    } catch (error) {
      const message = `"castellan certs" cannot ask this program, as it has no control socket: ${describeError(error)}`
      log.warn('control-unavailable', message)
    }
  }

  /**
   * Tells those who wait that the program stops, and leaves nothing behind. Whoever asked for another program to take over
   * is still told how that ends.
   */
  async close(): Promise<void> {
    this.#server.close()
    const others = [...this.#connections].filter(({ outlivesSocket }) => !outlivesSocket)
    await Promise.all(others.map((connection) => connection.stop()))
    await this.#place?.remove()
  }

  /** The error, if it cannot be there. */
  async #tryAt(place: SocketPlace): Promise<unknown> {
    try {
      await listen(this.#server, place.path)
      await place.publish()
      this.#place = place
      return undefined
    } catch (error) {
      if (this.#server.listening) await new Promise((resolve) => this.#server.close(resolve))
      await place.remove()
      return error
    }
  }

  #accept(socket: Socket): void {
    const { answer, clock, log } = this.#options
    const connection = new ControlConnection(socket, { answer, clock })
    this.#connections.add(connection)
    void connection
      .serve()
      .catch((error: unknown) => {
        // A mistake of ours, or a storage that fails: whoever asked was told, and the log keeps it.
        if (!(error instanceof CastellanError))
          log.error('control-failed', `A question by hand: ${describeError(error)}`)
      })
      .finally(() => this.#connections.delete(connection))
  }
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, () => {
      server.off('error', reject)
      resolve()
    })
  })
}
