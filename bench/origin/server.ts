import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { MEDIUM_BYTES, TRANSFER_BYTES } from '../load/transfer.ts'
import { CLIENT_MESSAGE, SERVER_MESSAGE } from '../load/websocket.ts'

// The application behind the proxies, where nginx cannot be it: `node origin/server.ts PORT`.

const SMALL_BODY = Buffer.from('Hello world\n')
const MEDIUM_BODY = Buffer.alloc(MEDIUM_BYTES, 'x')
const PIECE = Buffer.alloc(50_000)

function answer(response: ServerResponse, body = SMALL_BODY): void {
  response.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Length': body.length })
  response.end(body)
}

function sendLarge(response: ServerResponse): void {
  response.writeHead(200, { 'Content-Type': 'application/octet-stream', 'Content-Length': TRANSFER_BYTES })
  let left = TRANSFER_BYTES
  const send = (): void => {
    while (left > 0) {
      left -= PIECE.length
      if (!response.write(PIECE)) return
    }
    response.end()
  }
  response.on('drain', send)
  send()
}

/** Reads what is sent before it answers, so that no proxy may give up the rest. */
function swallow(request: IncomingMessage, response: ServerResponse): void {
  let received = 0
  request.on('data', (chunk: Buffer) => {
    received += chunk.length
  })
  request.once('end', () => {
    if (received === TRANSFER_BYTES) answer(response)
    else response.writeHead(400).end()
  })
}

/** Every message is the one that `load/websocket.ts` sends, so that the origin need not parse. */
function echo(socket: Duplex): void {
  const switching = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket'
  // The answer to a key of 16 zero bytes (RFC 6455 §4.2.2).
  socket.write(`${switching}\r\nSec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n\r\n`)
  let missing = CLIENT_MESSAGE.length
  socket.on('data', (chunk: Buffer) => {
    missing -= chunk.length
    if (missing > 0) return
    missing = CLIENT_MESSAGE.length
    socket.write(SERVER_MESSAGE)
  })
  socket.on('error', () => socket.destroy())
  socket.once('end', () => socket.end())
}

const server = createServer({ keepAliveTimeout: 0, requestTimeout: 0 }, (request, response) => {
  if (request.url === '/large') sendLarge(response)
  else if (request.url === '/medium') answer(response, MEDIUM_BODY)
  else if (request.url === '/sink') swallow(request, response)
  else answer(response)
})
server.on('upgrade', (_request, socket) => echo(socket))
server.listen(Number(process.argv[2]), '127.0.0.1')
