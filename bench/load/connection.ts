import { once } from 'node:events'
import { connect, type TLSSocket } from 'node:tls'
import { BenchError } from '../bench-error.ts'

export type Target = {
  readonly port: number
  /** Sent as the server's name (RFC 6066 §3). */
  readonly name: string
  /** To resume (RFC 8446 §2.2). */
  readonly session?: Buffer | undefined
}

const HEAD_END = '\r\n\r\n'
/** For any single answer; a transfer renews it with every piece. */
const IDLE_TIMEOUT_MS = 30_000

/** Opens a TLS connection for HTTP/1.1 to a port of this machine. Whoever signed the certificate, it is taken. */
export async function connectTls({ port, name, session }: Target): Promise<TLSSocket> {
  const socket = connect({
    host: '127.0.0.1',
    port,
    servername: name,
    ALPNProtocols: ['http/1.1'],
    rejectUnauthorized: false,
    // As wrk and h2load do, whose OpenSSL knows no post-quantum keys: a new connection costs all peers the same.
    ecdhCurve: 'X25519',
    ...(session === undefined ? {} : { session }),
  })
  socket.setTimeout(IDLE_TIMEOUT_MS, () => socket.destroy(new BenchError('answer-wrong', 'no answer in time')))
  await once(socket, 'secureConnect')
  // Whoever waits for an answer learns of it from the close that follows.
  socket.on('error', () => {})
  return socket
}

/** Sends the end of the connection, and resolves when it is closed on both sides. */
export async function closeConnection(socket: TLSSocket): Promise<void> {
  if (socket.destroyed) return
  socket.on('error', () => {})
  const closed = new Promise((resolve) => socket.once('close', resolve))
  socket.end()
  socket.resume()
  await closed
}

/** Asks for `/` and reads the answer to its end. */
export async function get(socket: TLSSocket, name: string): Promise<void> {
  socket.write(`GET / HTTP/1.1\r\nHost: ${name}\r\n\r\n`)
  await readResponse(socket)
}

/**
 * Reads a response with status 200 and a Content-Length, and gives the length of its body in bytes. Throws BenchError
 * `answer-wrong` for another, or if the connection ends before it.
 */
export async function readResponse(socket: TLSSocket): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const reader = new ResponseReader()
  const read = (chunk: Buffer): void => {
    try {
      if (reader.read(chunk)) resolve(reader.bodyBytes)
    } catch (error) {
      reject(error)
    }
  }
  const fail = (): void => reject(new BenchError('answer-wrong', 'the connection ended before the answer'))
  socket.on('data', read).once('close', fail)
  try {
    return await promise
  } finally {
    socket.off('data', read).off('close', fail)
  }
}

class ResponseReader {
  bodyBytes = 0
  #head = ''
  /** Of the body; undefined while the head is being read. */
  #missing: number | undefined

  /** Whether the response is complete. */
  read(chunk: Buffer): boolean {
    if (this.#missing !== undefined) this.#missing -= chunk.length
    else {
      this.#head += chunk.toString('latin1')
      const end = this.#head.indexOf(HEAD_END)
      if (end < 0) return false
      this.bodyBytes = bodyLength(this.#head.slice(0, end))
      this.#missing = this.bodyBytes - (this.#head.length - end - HEAD_END.length)
    }
    return this.#missing <= 0
  }
}

/** From the head of a response (RFC 9112 §6.3). */
export function bodyLength(head: string): number {
  const length = /\r\ncontent-length: *(\d+) *(?:\r\n|$)/i.exec(head)?.[1]
  if (/^HTTP\/1\.1 200 /.test(head) && length !== undefined) return Number(length)
  throw new BenchError('answer-wrong', `not a 200 with a Content-Length: ${head.split('\r\n', 1)[0]}`)
}
