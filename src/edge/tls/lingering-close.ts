import type { Socket } from 'node:net'

/** Time for the last bytes to reach a client that is still sending. */
const LINGER_MS = 1_000

/**
 * Says the last word, if there is one, and closes. What the client still sends is read and dropped for a while, for a
 * reset in answer to it would overtake the last word; a client that does not close then is cut off.
 */
export function closeLingering(socket: Socket, lastWord?: Buffer): void {
  if (lastWord === undefined) socket.end()
  else socket.end(lastWord)
  socket.resume()
  const linger = setTimeout(() => socket.destroy(), LINGER_MS)
  socket.once('close', () => clearTimeout(linger))
}
