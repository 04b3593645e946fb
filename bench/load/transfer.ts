import { once } from 'node:events'
import type { TLSSocket } from 'node:tls'
import { BenchError } from '../bench-error.ts'
import { readResponse } from './connection.ts'

export const TRANSFER_BYTES = 100_000_000
/** A page, a script or a picture. */
export const MEDIUM_BYTES = 16 * 1024

/** A whole number of them is a transfer. */
const PIECE = Buffer.alloc(50_000)

/** Fetches the large body of the origin. */
export async function download(socket: TLSSocket, name: string): Promise<void> {
  socket.write(`GET /large HTTP/1.1\r\nHost: ${name}\r\n\r\n`)
  const length = await readResponse(socket)
  if (length !== TRANSFER_BYTES) throw new BenchError('answer-wrong', `${length} bytes instead of ${TRANSFER_BYTES}`)
}

/** Sends a body as large, which the origin reads to its end before it answers. */
export async function upload(socket: TLSSocket, name: string): Promise<void> {
  const answered = readResponse(socket)
  answered.catch(() => {}) // Noticed below, unless writing fails first.
  socket.write(`POST /sink HTTP/1.1\r\nHost: ${name}\r\nContent-Length: ${TRANSFER_BYTES}\r\n\r\n`)
  for (let sent = 0; sent < TRANSFER_BYTES; sent += PIECE.length)
    if (!socket.write(PIECE)) await Promise.race([once(socket, 'drain'), answered])
  await answered
}
