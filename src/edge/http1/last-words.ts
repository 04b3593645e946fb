import type { Socket } from 'node:net'
import { errorCode } from '../../errors.ts'

/** What a write fails with when the peer has closed. */
const CLOSED_BY_PEER = new Set(['EPIPE', 'ECONNRESET'])

/**
 * An upstream that refuses content answers, and closes without reading on; the next write then fails, often before the answer
 * has been read (RFC 9112 §9.6). Node would throw away what still waits to be read: here it is read first. `bytesRead` tells
 * whether more has come since it was last asked.
 */
export function readLastWords(socket: Socket, bytesRead: () => number): void {
  const destroy = socket.destroy
  let isEnding = false
  socket.destroy = (error?: Error): Socket => {
    if (isEnding || !CLOSED_BY_PEER.has(errorCode(error) ?? '')) return destroy.call(socket, error)
    isEnding = true
    whenQuiet(bytesRead, () => destroy.call(socket, error))
    return socket
  }
}

/** Once the event loop has gone round without another byte. */
function whenQuiet(bytesRead: () => number, done: () => void): void {
  const before = bytesRead()
  // The first comes before the loop looks at sockets, the second after.
  setImmediate(() => setImmediate(() => (bytesRead() === before ? done() : whenQuiet(bytesRead, done))))
}
