import { once } from 'node:events'
import type { TLSSocket } from 'node:tls'
import { BenchError } from '../bench-error.ts'
import { closeConnection, connectTls, type Target } from './connection.ts'

/** A text message of 12 bytes, masked with zeros as a client's must be masked (RFC 6455 §5.2). */
export const CLIENT_MESSAGE = Buffer.concat([Buffer.from([0x81, 0x8c, 0, 0, 0, 0]), Buffer.from('Hello world\n')])
/** The same, as a server sends it. */
export const SERVER_MESSAGE = Buffer.concat([Buffer.from([0x81, 0x0c]), Buffer.from('Hello world\n')])

const HEAD_END = '\r\n\r\n'

/** Sends messages and waits for the echo of each, on several connections at once. Gives the number of echoes. */
export async function loadWebSockets(target: Target, connections: number, seconds: number): Promise<number> {
  const sockets: TLSSocket[] = []
  try {
    for (let index = 0; index < connections; index++) sockets.push(await openWebSocket(target))
    const endsAt = performance.now() + seconds * 1000
    const counts = await Promise.all(sockets.map((socket) => playPingPong(socket, endsAt)))
    return counts.reduce((sum, count) => sum + count, 0)
  } finally {
    await Promise.all(sockets.map(closeConnection))
  }
}

async function openWebSocket(target: Target): Promise<TLSSocket> {
  const socket = await connectTls(target)
  const key = Buffer.alloc(16).toString('base64')
  const upgrade = `Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}`
  socket.write(`GET /echo HTTP/1.1\r\nHost: ${target.name}\r\n${upgrade}${HEAD_END}`)
  const [head] = (await once(socket, 'data')) as [Buffer]
  const text = head.toString('latin1')
  if (text.startsWith('HTTP/1.1 101 ') && text.endsWith(HEAD_END)) return socket
  socket.destroy()
  throw new BenchError('answer-wrong', `no 101: ${text.split('\r\n', 1)[0]}`)
}

/** Resolves to the number of echoes when the time is over. */
function playPingPong(socket: TLSSocket, endsAt: number): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  let echoes = 0
  let missing = SERVER_MESSAGE.length
  socket.on('data', (chunk: Buffer) => {
    missing -= chunk.length
    if (missing > 0) return
    echoes++
    missing = SERVER_MESSAGE.length
    if (performance.now() < endsAt) socket.write(CLIENT_MESSAGE)
    else resolve(echoes)
  })
  socket.once('error', reject)
  socket.once('close', () => reject(new BenchError('answer-wrong', 'a WebSocket was closed')))
  socket.write(CLIENT_MESSAGE)
  return promise
}
