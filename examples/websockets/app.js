import { createHash } from 'node:crypto'
import { createServer } from 'node:http'

const { PORT = '3000' } = process.env

/** RFC 6455 §4.2.2: shows that the server understood what it was asked. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const CLOSE = 8
const PING = 9
const PONG = 10

const app = createServer((_request, response) => response.end('Open a WebSocket here.\n'))

app.on('upgrade', (request, socket) => {
  const accept = createHash('sha1').update(`${request.headers['sec-websocket-key']}${GUID}`).digest('base64')
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  )
  let unread = Buffer.alloc(0)
  socket.on('error', () => {})
  socket.on('data', (chunk) => {
    unread = Buffer.concat([unread, chunk])
    for (let frame = readFrame(unread); frame !== undefined; frame = readFrame(unread)) {
      unread = unread.subarray(frame.end)
      // A ping is answered with its own content, and so is everything else in this app.
      socket.write(formatFrame(frame.opcode === PING ? PONG : frame.opcode, frame.content))
      if (frame.opcode === CLOSE) socket.end()
    }
  })
})

/** RFC 6455 §5.2: a client's frame of up to 64 KiB, which is always masked. @param {Buffer} bytes */
function readFrame(bytes) {
  if (bytes.length < 6) return undefined
  const short = bytes.readUInt8(1) & 0x7f
  const maskAt = short === 126 ? 4 : 2
  const length = short === 126 ? bytes.readUInt16BE(2) : short
  const start = maskAt + 4
  if (bytes.length < start + length) return undefined
  const content = Buffer.from(bytes.subarray(start, start + length))
  for (let at = 0; at < length; at++) content.writeUInt8(content.readUInt8(at) ^ bytes.readUInt8(maskAt + (at % 4)), at)
  return { opcode: bytes.readUInt8(0) & 0x0f, content, end: start + length }
}

/** @param {number} opcode @param {Buffer} content */
function formatFrame(opcode, content) {
  const { length } = content
  const head = length < 126 ? [0x80 | opcode, length] : [0x80 | opcode, 126, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from(head), content])
}

app.listen(Number(PORT), 'localhost', () => process.stdout.write(`The app answers at http://localhost:${PORT}\n`))
