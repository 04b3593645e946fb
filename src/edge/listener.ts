import { createServer, type Server, type Socket } from 'node:net'
import { CastellanError, describeError, errorCode } from '../errors.ts'

/** A socket that is bound already and comes by inheritance, so that a worker needs no privilege and no port is lost. */
export type ListenerSpec = {
  readonly fd: number
  readonly protocol: 'https' | 'http'
  /** As the config writes it, for messages. */
  readonly address: string
}

export type ListenErrorCode = 'listen-failed'

/** Accepting on an inherited socket failed; `facts` holds the address and the system's reason. */
export class ListenError extends CastellanError {
  declare readonly code: ListenErrorCode
}

/** Connections that the kernel holds while all workers are busy; Linux caps it at net.core.somaxconn (4096). */
const BACKLOG = 4096

/** Starts to accept. Rejects with ListenError. */
export function listen(
  { fd, address, protocol }: ListenerSpec,
  onConnection: (socket: Socket) => void,
): Promise<Server> {
  return new Promise((resolve, reject) => {
    // An HTTP client may close its sending side and still wait for the answer; TLS says goodbye in its own way.
    const server = createServer({ noDelay: true, allowHalfOpen: protocol === 'http' }, (socket) => {
      socket.on('error', () => socket.destroy())
      onConnection(socket)
    })
    const onError = (cause: Error): void =>
      reject(
        new ListenError(
          'listen-failed',
          `Castellan cannot listen on ${address}: ${describeError(cause)}.`,
          { address, cause: errorCode(cause) },
          { cause },
        ),
      )
    server.once('error', onError)
    server.listen({ fd, backlog: BACKLOG }, () => {
      server.off('error', onError)
      // What fails after this is one accept, for want of descriptors say: the rest goes on.
      server.on('error', () => {})
      resolve(server)
    })
  })
}
