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
/** A hello of today fits; the buffer doubles when one does not. */
const FIRST_BUFFER_BYTES = 2048
/** So many capitals are the beginning of a method: no protocol that somebody might speak here by mistake has them. */
const METHOD_BYTES = 3

const INCOMPLETE: HelloReading = { status: 'incomplete' }

/**
 * Finds the ClientHello in the first bytes of a connection, however they are split into segments and records (RFC 8446
 * §5.1). Its buffer grows with what has arrived, never with a length that is announced, and no header is looked at twice.
 */
export class ClientHelloReader {
  #received = Buffer.allocUnsafe(FIRST_BUFFER_BYTES)
  #length = 0
  #nextRecord = 0
  #message = Buffer.alloc(0)

  /** Takes what has arrived and says what it makes with all before. After any status but `incomplete` it is not asked again. */
  push(bytes: Buffer): HelloReading {
    if (this.#length + bytes.length > this.#received.length) this.#grow(this.#length + bytes.length)
    bytes.copy(this.#received, this.#length)
    this.#length += bytes.length
    return this.#readRecords()
  }

  /** Everything that has arrived, the hello and what came with it: for whoever carries on. */
  get received(): Buffer {
    return this.#received.subarray(0, this.#length)
  }

  #grow(needed: number): void {
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#received.length * 2))
    this.#received.copy(larger, 0, 0, this.#length)
    this.#received = larger
  }

  #readRecords(): HelloReading {
    for (;;) {
      const start = this.#nextRecord
      if (start < this.#length && this.#received[start] !== HANDSHAKE_RECORD) return this.#readForeign(start)
      if (start + RECORD_HEADER_BYTES > this.#length) return this.#awaitMore()
      if (this.#received[start + 1] !== 3) return refused(Alert.protocolVersion, 'its record is of no version of TLS')
      const end = start + RECORD_HEADER_BYTES + this.#received.readUInt16BE(start + 3)
      if (end > MAX_HELLO_BYTES) return refused(Alert.recordOverflow, 'it is too long')
      if (end > this.#length) return INCOMPLETE
      this.#nextRecord = end
      const reading = this.#readMessage(this.#received.subarray(start + RECORD_HEADER_BYTES, end))
      if (reading.status !== 'incomplete') return reading
    }
  }

  #awaitMore(): HelloReading {
    return this.#length >= MAX_HELLO_BYTES ? refused(Alert.recordOverflow, 'it is too long') : INCOMPLETE
  }

  #readMessage(fragment: Buffer): HelloReading {
    const message = Buffer.concat([this.#message, fragment])
    this.#message = message
    if (message.length > 0 && message[0] !== CLIENT_HELLO)
      return refused(Alert.unexpectedMessage, 'its first message is no ClientHello')
    if (message.length < MESSAGE_HEADER_BYTES) return INCOMPLETE
    const end = MESSAGE_HEADER_BYTES + message.readUIntBE(1, 3)
    if (end > MAX_HELLO_BYTES) return refused(Alert.recordOverflow, 'it is too long')
    if (message.length < end) return INCOMPLETE
    const result = parseClientHello(message.subarray(MESSAGE_HEADER_BYTES, end))
    return isRefusal(result) ? { status: 'refused', ...result } : { status: 'complete', hello: result }
  }

  #readForeign(start: number): HelloReading {
    if (start > 0) return refused(Alert.unexpectedMessage, 'a record within it is no handshake')
    const text = this.#received.toString('latin1', 0, Math.min(this.#length, METHOD_BYTES))
    if (!/^[A-Z]+$/.test(text)) return refused(undefined, 'it does not speak TLS')
    return text.length < METHOD_BYTES ? INCOMPLETE : { status: 'plain-http' }
  }
}

function refused(alert: Alert | undefined, reason: string): HelloReading {
  return { status: 'refused', alert, reason }
}
