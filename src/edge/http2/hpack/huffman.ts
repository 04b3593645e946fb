import { HpackError } from './hpack-error.ts'
import { CODE_BITS, CODES } from './huffman-code.ts'
import { PADDING_BITS, REJECTED, ROOT, STATE_SHIFT, TRANSITIONS } from './huffman-machine.ts'

/** The shortest code has 5 bits, so 5 octets hold 8 symbols at most. */
const MAX_EXPANSION = 8 / 5
/** A step writes an octet, also where it means none. */
const OVERRUN_BYTES = 1

/** Where strings are decoded before their length is known; all but freaks have room. Nothing in it outlives a call. */
const SCRATCH = Buffer.alloc(16 * 1024)

/** RFC 7541 §5.2. */
const MAX_PADDING_BITS = 7

/**
 * The string that is encoded from `start` to `end`, one character an octet; undefined if it has more than `maxBytes`,
 * and then no string was made. Throws HpackError for EOS and for wrong padding, either way.
 */
export function decodeHuffman(bytes: Buffer, start: number, end: number, maxBytes: number): string | undefined {
  const room = Math.floor((end - start) * MAX_EXPANSION) + OVERRUN_BYTES
  const decoded = room <= SCRATCH.length ? SCRATCH : Buffer.allocUnsafe(room)
  const length = decodeInto(decoded, bytes, start, end)
  return length > maxBytes ? undefined : decoded.toString('latin1', 0, length)
}

function decodeInto(decoded: Buffer, bytes: Buffer, start: number, end: number): number {
  let step = ROOT
  let length = 0
  for (let at = start; at < end; at++) {
    const octet = bytes[at]!
    step = TRANSITIONS[(step >>> STATE_SHIFT) | (octet >>> 4)]!
    // Stored without asking whether it is a symbol: a branch costs more.
    decoded[length] = step
    length += (step >>> 8) & 1
    step = TRANSITIONS[(step >>> STATE_SHIFT) | (octet & 0xf)]!
    decoded[length] = step
    length += (step >>> 8) & 1
  }
  checkEnd(step >>> (STATE_SHIFT + 4))
  return length
}

function checkEnd(state: number): void {
  const paddingBits = PADDING_BITS[state]!
  if (state === REJECTED) throw new HpackError('hpack-huffman-eos')
  if (paddingBits < 0) throw new HpackError('hpack-huffman-padding-invalid')
  if (paddingBits > MAX_PADDING_BITS) throw new HpackError('hpack-huffman-padding-too-long')
}

/** How many octets the string takes when it is encoded. */
export function huffmanBytes(text: string): number {
  let bits = 0
  for (let at = 0; at < text.length; at++) bits += CODE_BITS[text.charCodeAt(at) & 0xff]!
  return Math.ceil(bits / 8)
}

/** As many bits as fit into 32 beside 7 that wait for their octet to be full. */
const MAX_BITS_AT_ONCE = 25

/** Writes the string, one octet a character, and returns the offset after it. There must be room. */
export function encodeHuffman(text: string, out: Buffer, at: number): number {
  // The octet to be written next is in the lowest bits, as far as it is known; what stands above them has been written.
  let pending = 0
  let pendingBits = 0
  for (let index = 0; index < text.length; index++) {
    const symbol = text.charCodeAt(index) & 0xff
    const code = CODES[symbol]!
    let bits = CODE_BITS[symbol]!
    if (bits > MAX_BITS_AT_ONCE) {
      bits -= 8
      pending = (pending << 8) | (code >>> bits)
      out[at++] = pending >>> pendingBits
    }
    pending = (pending << bits) | (code & ((1 << bits) - 1))
    pendingBits += bits
    for (; pendingBits >= 8; pendingBits -= 8) out[at++] = pending >>> (pendingBits - 8)
  }
  // RFC 7541 §5.2: padded with the first bits of EOS, which are ones.
  if (pendingBits > 0) out[at++] = (pending << (8 - pendingBits)) | (0xff >>> pendingBits)
  return at
}
