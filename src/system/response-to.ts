import { once } from 'node:events'
import type { ClientRequest, IncomingMessage } from 'node:http'
import { abortable } from './deadline.ts'

/**
 * Sends a request that is ready but for its content, and gives the response as soon as its head is here. Who asks once in a
 * while destroys the request when done. Rejects with what the connection met, or with the signal's reason.
 */
export async function responseTo(
  outgoing: ClientRequest,
  content: Uint8Array | undefined,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const answered: Promise<IncomingMessage[]> = once(outgoing, 'response')
  // One that comes when nobody waits any more must not end the process.
  outgoing.on('error', () => {})
  // Emitted by hand: after an upgrade, destroy() tells nobody.
  outgoing.once('upgrade', (_, socket) => {
    socket.destroy()
    outgoing.emit('error', new Error('it changes the protocol, which nobody asked for'))
  })
  outgoing.end(content)
  const [incoming] = await abortable(answered, signal)
  return incoming!
}
