import { Blowfish } from './blowfish.ts'

/** Provos and Mazières, A Future-Adaptable Password Scheme (USENIX 1999): 2^cost times the key schedule of Blowfish. */
export type BcryptHash = {
  readonly kind: 'bcrypt'
  readonly cost: number
  /** 16 bytes. */
  readonly salt: Buffer
  /** 23 bytes. */
  readonly hash: Buffer
}

const SALT_BYTES = 16
const HASH_BYTES = 23
/** What comes after it in a password has no effect, in every implementation. */
const MAX_KEY_BYTES = 72
/** Half a minute in all would be 19; 15 takes some two seconds, and Caddy makes hashes of 14. */
const MAX_COST = 15
/** Of the key schedule, some 2 ms: others are served in between. */
const ROUNDS_AT_ONCE = 32

const ALPHABET = './ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
const USUAL_ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

const TEXT = Buffer.from('OrpheanBeholderScryDoubt')

/** `$2b$12$`, then 22 characters of salt and 31 of hash. $2a$ and $2y$ mean the same today; $2x$ marks those of a bug. */
const FORM = /^\$2([aby])\$(\d{2})\$([./A-Za-z0-9]{22})([./A-Za-z0-9]{31})$/

/** Reads it, or says what is wrong. */
export function readBcrypt(text: string): BcryptHash | string {
  if (text.startsWith('$2x$')) return 'which an old, broken bcrypt has made'
  const [, , cost, salt, hash] = FORM.exec(text) ?? []
  if (salt === undefined || hash === undefined) return 'which is not of the form $2b$12$ and 53 characters'
  if (Number(cost) < 4) return 'whose cost is below 4'
  if (Number(cost) > MAX_COST) return `whose cost is above ${MAX_COST}: it takes too long to verify`
  return {
    kind: 'bcrypt',
    cost: Number(cost),
    salt: decode(salt).subarray(0, SALT_BYTES),
    hash: decode(hash).subarray(0, HASH_BYTES),
  }
}

/** The hash that a password has with the same salt and cost. Made in short pieces, between which others are served. */
export async function bcrypt(password: Buffer, { cost, salt }: Pick<BcryptHash, 'cost' | 'salt'>): Promise<Buffer> {
  const key = words(Buffer.concat([password, Buffer.alloc(1)]).subarray(0, MAX_KEY_BYTES), 18)
  const saltWords = words(salt, 18)
  const cipher = new Blowfish()
  cipher.expandKey(key, words(salt, 4))
  for (let left = 2 ** cost; left > 0; left -= ROUNDS_AT_ONCE) {
    for (let round = Math.min(left, ROUNDS_AT_ONCE); round > 0; round--) {
      cipher.expandKey(key)
      cipher.expandKey(saltWords)
    }
    await new Promise((resolve) => setImmediate(resolve))
  }
  return encipheredText(cipher)
}

function encipheredText(cipher: Blowfish): Buffer {
  const text = words(TEXT, 6)
  for (let time = 0; time < 64; time++) for (let at = 0; at < text.length; at += 2) cipher.encipher(text, at)
  const bytes = Buffer.alloc(24)
  for (const [index, word] of text.entries()) bytes.writeInt32BE(word, 4 * index)
  return bytes.subarray(0, HASH_BYTES)
}

/** So many words of 32 bits, from bytes that are repeated. */
function words(bytes: Buffer, count: number): Int32Array {
  const result = new Int32Array(count)
  for (let at = 0; at < 4 * count; at++) result[at >> 2] = (result[at >> 2]! << 8) | bytes[at % bytes.length]!
  return result
}

function decode(text: string): Buffer {
  const usual = [...text].map((character) => USUAL_ALPHABET[ALPHABET.indexOf(character)]).join('')
  return Buffer.from(usual, 'base64')
}
