/** The symbol that is never sent but as padding, after the 256 octets (RFC 7541 §5.2). */
export const EOS = 256

/**
 * Bits of each symbol's code, 16 symbols a row (RFC 7541 Appendix B). They say all: the code is canonical, which means
 * that codes of one length count up with the symbols and go on where the shorter ones end.
 */
const LENGTHS = `
  13 23 28 28 28 28 28 28 28 24 30 28 28 30 28 28
  28 28 28 28 28 28 30 28 28 28 28 28 28 28 28 28
   6 10 10 12 13  6  8 11 10 10  8 11  8  6  6  6
   5  5  5  6  6  6  6  6  6  6  7  8 15  6 12 10
  13  6  7  7  7  7  7  7  7  7  7  7  7  7  7  7
   7  7  7  7  7  7  7  7  8  7  8 13 19 13 14  6
  15  5  6  5  6  5  6  6  6  5  7  7  6  6  6  5
   6  7  6  5  5  6  7  7  7  7  7 15 11 14 13 28
  20 22 20 20 22 22 22 23 22 23 23 23 23 23 24 23
  24 24 22 23 24 23 23 23 23 21 22 23 22 23 23 24
  22 21 20 22 22 23 23 21 23 22 22 24 21 22 23 23
  21 21 22 21 23 22 23 23 20 22 22 22 23 22 22 23
  26 26 20 19 22 23 22 25 26 26 26 27 27 26 24 25
  19 21 26 27 27 26 27 24 21 21 26 26 28 27 27 27
  20 24 20 21 22 21 21 23 22 22 25 25 24 24 26 23
  26 27 26 26 27 27 27 27 27 28 27 27 27 27 27 26
  30`

const MAX_CODE_BITS = 30

/** Bits of the code of each octet, and of EOS. */
export const CODE_BITS = Uint8Array.from(LENGTHS.trim().split(/\s+/), Number)

/** The code of each octet, and of EOS, in its lowest bits. */
export const CODES = canonicalCodes(CODE_BITS)

function canonicalCodes(lengths: Uint8Array): Uint32Array {
  const codes = new Uint32Array(lengths.length)
  let next = 0
  for (let bits = 1; bits <= MAX_CODE_BITS; bits++) {
    next *= 2
    for (let symbol = 0; symbol < lengths.length; symbol++) if (lengths[symbol] === bits) codes[symbol] = next++
  }
  return codes
}
