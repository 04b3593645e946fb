import type { TLSSocket } from 'node:tls'
import type { Server } from '../server.ts'
import { SITE_NAME } from '../site.ts'
import { closeConnection, connectTls, get } from './connection.ts'

/** What a visit was, and the session with which the next one can resume; undefined if the server gave none. */
export type Visit = { readonly isResumed: boolean; readonly session: Buffer | undefined }

/** Opens a connection, with a session if there is one (RFC 8446 §2.2), asks once, and closes it. */
export async function visit({ port }: Server, session?: Buffer): Promise<Visit> {
  const socket: TLSSocket = await connectTls({ port, name: SITE_NAME, session })
  let next: Buffer | undefined
  // Tickets come after the handshake and ahead of the answer (RFC 8446 §4.6.1).
  socket.on('session', (ticket) => {
    next = ticket
  })
  await get(socket, SITE_NAME)
  const isResumed = socket.isSessionReused()
  await closeConnection(socket)
  return { isResumed, session: next }
}
