/** Subkeys, and four boxes of 256 words, which begin as the digits of pi after the point. */
const SUBKEYS = 18
const BOX_WORDS = 256
const WORDS = SUBKEYS + 4 * BOX_WORDS

let initial: Int32Array | undefined

/** Schneier, Description of a New Variable-Length Key, 64-Bit Block Cipher (1994), as far as bcrypt needs it. */
export class Blowfish {
  readonly #subkeys: Int32Array
  readonly #boxes: Int32Array

  constructor() {
    initial ??= piWords(WORDS)
    this.#subkeys = initial.slice(0, SUBKEYS)
    this.#boxes = initial.slice(SUBKEYS)
  }

  /** Enciphers the two words at this place. */
  encipher(block: Int32Array, at: number): void {
    const subkeys = this.#subkeys
    const boxes = this.#boxes
    let left = block[at]! ^ subkeys[0]!
    let right = block[at + 1]!
    for (let round = 1; round < 17; round += 2) {
      right ^=
        (((boxes[left >>> 24]! + boxes[0x100 | ((left >>> 16) & 0xff)]!) ^ boxes[0x200 | ((left >>> 8) & 0xff)]!) +
          boxes[0x300 | (left & 0xff)]!) ^
        subkeys[round]!
      left ^=
        (((boxes[right >>> 24]! + boxes[0x100 | ((right >>> 16) & 0xff)]!) ^ boxes[0x200 | ((right >>> 8) & 0xff)]!) +
          boxes[0x300 | (right & 0xff)]!) ^
        subkeys[round + 1]!
    }
    block[at] = right ^ subkeys[17]!
    block[at + 1] = left
  }

  /** Mixes in a key of 18 words, and where one is given a salt of 4 words. */
  expandKey(key: Int32Array, salt?: Int32Array): void {
    const subkeys = this.#subkeys
    for (let at = 0; at < SUBKEYS; at++) subkeys[at]! ^= key[at]!
    const block = new Int32Array(2)
    let saltAt = 0
    for (const words of [subkeys, this.#boxes])
      for (let at = 0; at < words.length; at += 2) {
        if (salt !== undefined) {
          block[0]! ^= salt[saltAt]!
          block[1]! ^= salt[saltAt + 1]!
          saltAt ^= 2
        }
        this.encipher(block, 0)
        words[at] = block[0]!
        words[at + 1] = block[1]!
      }
  }
}

const GUARD_BITS = 64n

/** The first words of 32 bits after the point of pi, by Machin's formula; some 30 ms for all that Blowfish needs. */
function piWords(count: number): Int32Array {
  const bits = BigInt(32 * count)
  const one = 1n << (bits + GUARD_BITS)
  const pi = 16n * arctanOfInverse(5n, one) - 4n * arctanOfInverse(239n, one)
  const hex = ((pi - 3n * one) >> GUARD_BITS).toString(16).padStart(8 * count, '0')
  return Int32Array.from({ length: count }, (_, index) => Number.parseInt(hex.slice(8 * index, 8 * index + 8), 16) | 0)
}

/** arctan(1/x), as a part of `one`: the series of Gregory. */
function arctanOfInverse(x: bigint, one: bigint): bigint {
  let power = one / x
  let sum = power
  for (let divisor = 3n, sign = -1n; power > 0n; divisor += 2n, sign = -sign) {
    power /= x * x
    sum += (sign * power) / divisor
  }
  return sum
}
