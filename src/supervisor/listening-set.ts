import { chmodSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import type { Config } from '../config/config.ts'
import type { ListenAddress } from '../config/listen-address.ts'
import type { ListenerSpec } from '../edge/listener.ts'
import { CastellanError, describeError } from '../errors.ts'
import type { Clock } from '../system/clock.ts'
import { formatListenAddress } from './edge-config.ts'
import { BindError, bindListeningSocket, type ListeningSocket } from './listening-sockets.ts'
import { FIRST_INHERITED_FD } from './worker-process.ts'

/** An address cannot take the place of another without a moment in which nobody listens (`facts.address`). */
export class ListenChangeError extends CastellanError {
  declare readonly code: 'listen-overlaps'
}

export type BindAllOptions = {
  readonly clock: Clock
  readonly signal: AbortSignal
  /** What is bound already: a socket of the same address is used on, with all that waits in its queue. */
  readonly bound?: readonly ListeningSocket[]
}

/** The sockets of a config, those for HTTPS first. */
export class ListeningSet {
  readonly sockets: readonly ListeningSocket[]
  readonly #httpsCount: number
  readonly #socketMode: number

  private constructor(sockets: readonly ListeningSocket[], { https, socketMode }: Config['listen']) {
    this.sockets = sockets
    this.#httpsCount = https.length
    this.#socketMode = socketMode
  }

  /** Binds what is not bound yet. Throws BindError, ListenChangeError or the signal's reason, having closed what it had bound. */
  static async bind(listen: Config['listen'], { clock, signal, bound = [] }: BindAllOptions): Promise<ListeningSet> {
    const sockets: ListeningSocket[] = []
    const wanted = [...listen.https, ...listen.http]
    const kept = bound.filter(({ address }) => wanted.some((other) => isSame(address, other)))
    try {
      for (const address of wanted) {
        const known = kept.find((socket) => isSame(socket.address, address))
        refuseOverlap(address, bound, known)
        sockets.push(known ?? (await bindListeningSocket(address, clock, { signal, socketMode: listen.socketMode })))
      }
      return new ListeningSet(sockets, listen)
    } catch (error) {
      for (const socket of sockets) if (!kept.includes(socket)) socket.close()
      throw error
    }
  }

  get https(): readonly ListeningSocket[] {
    return this.sockets.slice(0, this.#httpsCount)
  }

  get fds(): number[] {
    return this.sockets.map(({ fd }) => fd)
  }

  /** As a worker knows them that has inherited them in this order. */
  get specs(): ListenerSpec[] {
    return this.sockets.map(({ address }, index) => ({
      fd: FIRST_INHERITED_FD + index,
      protocol: index < this.#httpsCount ? ('https' as const) : ('http' as const),
      address: formatListenAddress(address),
    }))
  }

  /** Gives up those that a successor does not have. */
  closeBut({ sockets }: { readonly sockets: readonly ListeningSocket[] }): void {
    for (const socket of this.sockets) if (!sockets.includes(socket)) socket.close()
  }

  /** Lets those connect to Unix sockets whom the config means, also where they were bound for others. Throws BindError. */
  admitAs(former: ListeningSet): void {
    if (former.#socketMode === this.#socketMode) return
    for (const { address } of this.sockets) {
      if (address.type !== 'unix') continue
      try {
        chmodSync(address.path, this.#socketMode)
      } catch (error) {
        const message = `Who may connect to unix:${address.path} cannot be changed: ${describeError(error)}`
        throw new BindError('address-not-usable', message, { path: address.path })
      }
    }
  }
}

export function isSame(one: ListenAddress, other: ListenAddress): boolean {
  return isDeepStrictEqual(one, other)
}

/** The system lets nobody listen on one address while somebody does on all, or the other way round. */
function refuseOverlap(
  address: ListenAddress,
  bound: readonly ListeningSocket[],
  known: ListeningSocket | undefined,
): void {
  if (known !== undefined || address.type !== 'tcp') return
  const { port, host } = address
  const other = bound.find(
    ({ address: its }) => its.type === 'tcp' && its.port === port && (its.host === undefined || host === undefined),
  )
  if (other === undefined) return
  const [from, to] = [other.address, address].map(formatListenAddress)
  const message = `Listening on ${to} in place of ${from} takes a restart, as both cannot be open at a time.`
  throw new ListenChangeError('listen-overlaps', message, { address: to })
}
