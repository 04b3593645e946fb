import { Alert } from './alert.ts'
import { type ClientHello, isRefusal, parseClientHello } from './client-hello.ts'

/** What the bytes so far amount to. */
export type HelloReading =
  | { readonly status: 'incomplete' }
  | { readonly status: 'complete'; readonly hello: ClientHello }
  /** `alert` is undefined where the peer does not speak TLS. */
  | { readonly status: 'refused'; readonly alert: Alert | undefined; readonly reason: string }
  /** Somebody speaks HTTP to the port for HTTPS. */
  | { readonly status: 'plain-http' }

/** All records of a hello. Post-quantum ones have 1,800 bytes; padding goes to a few thousand at most. */
export const MAX_HELLO_BYTES = 16 * 1024

const HANDSHAKE_RECORD = 22
const RECORD_HEADER_BYTES = 5
const CLIENT_HELLO = 1
const MESSAGE_HEADER_BYTES = 4

/** How a request in HTTP begins: RFC 9110 §9.3, RFC 5789, and the preface of HTTP/2 (RFC 9113 §3.4). */
const REQUEST_STARTS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH', 'PRI'].map(
  (method) => `${method} `,
)
const LONGEST_REQUEST_START = Math.max(...REQUEST_STARTS.map((start) => start.length))

const INCOMPLETE: HelloReading = { status: 'incomplete' }
const NOTHING = Buffer.alloc(0)

/**
 * Finds the ClientHello in the first bytes of a connection, however they are split into segments and records (RFC 8446
 * §5.1). What it holds and does is in proportion to what has arrived, whatever length is announced.
 */
export class ClientHelloReader {
  /** Its first `#length` bytes have arrived; the rest is room for more. */
  #buffer: Buffer = NOTHING
  #length = 0
  #nextRecord = 0
  /** The message so far: what stood in the records that are whole. */
  #fragments: Buffer[] = []
  #fragmentBytes = 0
  /** So much of the message is needed to go on: its header first, then all of it. */
  #neededBytes = MESSAGE_HEADER_BYTES

  /** Takes what has arrived and says what it makes with all before. After any status but `incomplete` it is not asked again. */
  push(bytes: Buffer): HelloReading {
    if (this.#length === 0) this.#buffer = bytes
    else this.#append(bytes)
    this.#length += bytes.length
    return this.#readRecords()
  }

  /** Everything that has arrived, the hello and what came with it: for whoever carries on. */
  get received(): Buffer {
    return this.#buffer.subarray(0, this.#length)
  }

  #append(bytes: Buffer): void {
    const needed = this.#length + bytes.length
    if (needed > this.#buffer.length) {
      // Doubled, so that a hello that comes byte by byte is not copied at each.
      const larger = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2))
      this.#buffer.copy(larger, 0, 0, this.#length)
      this.#buffer = larger
    }
    bytes.copy(this.#buffer, this.#length)
  }

  #readRecords(): HelloReading {
    for (;;) {
      const start = this.#nextRecord
      if (start < this.#length && this.#buffer[start] !== HANDSHAKE_RECORD) return this.#readForeign(start)
      if (start + RECORD_HEADER_BYTES > this.#length) return this.#awaitMore()
      if (this.#buffer[start + 1] !== 3) return refused(Alert.protocolVersion, 'its record is of no version of TLS')
      const end = start + RECORD_HEADER_BYTES + this.#buffer.readUInt16BE(start + 3)
      if (end > MAX_HELLO_BYTES) return refused(Alert.recordOverflow, 'it is too long')
      if (end > this.#length) return INCOMPLETE
      this.#nextRecord = end
      const reading = this.#readFragment(this.#buffer.subarray(start + RECORD_HEADER_BYTES, end))
      if (reading.status !== 'incomplete') return reading
    }
  }

  #awaitMore(): HelloReading {
    return this.#length >= MAX_HELLO_BYTES ? refused(Alert.recordOverflow, 'it is too long') : INCOMPLETE
  }

  #readFragment(fragment: Buffer): HelloReading {
    if (fragment.length > 0) this.#fragments.push(fragment)
    this.#fragmentBytes += fragment.length
    if (this.#fragmentBytes < this.#neededBytes) return INCOMPLETE
    const [first = NOTHING] = this.#fragments
    const message = this.#fragments.length === 1 ? first : Buffer.concat(this.#fragments)
    if (message[0] !== CLIENT_HELLO) return refused(Alert.unexpectedMessage, 'its first message is no ClientHello')
    const end = MESSAGE_HEADER_BYTES + message.readUIntBE(1, 3)
    if (end > MAX_HELLO_BYTES) return refused(Alert.recordOverflow, 'it is too long')
    this.#fragments = [message]
    this.#neededBytes = end
    if (message.length < end) return INCOMPLETE
    const result = parseClientHello(message.subarray(MESSAGE_HEADER_BYTES, end))
    return isRefusal(result) ? { status: 'refused', ...result } : { status: 'complete', hello: result }
  }

  #readForeign(start: number): HelloReading {
    if (start > 0) return refused(Alert.unexpectedMessage, 'a record within it is no handshake')
    const text = this.#buffer.toString('latin1', 0, Math.min(this.#length, LONGEST_REQUEST_START))
    if (REQUEST_STARTS.some((requestStart) => text.startsWith(requestStart))) return { status: 'plain-http' }
    if (REQUEST_STARTS.some((requestStart) => requestStart.startsWith(text))) return INCOMPLETE
    return refused(undefined, 'it does not speak TLS')
  }
}

function refused(alert: Alert | undefined, reason: string): HelloReading {
  return { status: 'refused', alert, reason }
}
