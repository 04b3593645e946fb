import { timingSafeEqual } from 'node:crypto'
import { type BcryptHash, bcrypt, readBcrypt } from './bcrypt.ts'
import { readScrypt, type ScryptHash, scrypt } from './scrypt.ts'

/** The hash of a password, with what it takes to make the same of the same password. */
export type PasswordHash = ScryptHash | BcryptHash

/** How each kind of hash is written and made. */
const kinds = {
  scrypt: { pattern: /^\$scrypt\$/, read: readScrypt },
  bcrypt: { pattern: /^\$2[abxy]?\$/, read: readBcrypt },
}

/** What one of other programs is, for who brings it along. */
const STRANGERS: readonly [RegExp, string][] = [
  [/^\$apr1\$|^\$1\$/, 'which is MD5: far too weak for passwords'],
  [/^\{SHA\}/, 'which is SHA-1: far too weak for passwords'],
  [/^\$[56]\$/, 'which is of a kind (SHA-crypt) that is not verified here'],
  [/^\$argon2/, 'which is of a kind (Argon2) that is not verified here'],
]

/** Reads a hash, or says what is wrong with it in words that follow `which` or begin with it. It never repeats it. */
export function readPasswordHash(text: string): PasswordHash | string {
  for (const { pattern, read } of Object.values(kinds)) if (pattern.test(text)) return read(text)
  return STRANGERS.find(([pattern]) => pattern.test(text))?.[1] ?? 'which is no hash of a password'
}

/** Whether the password is the one that was hashed. Takes as long for one as for another. */
export async function verifyPassword(hash: PasswordHash, password: Buffer): Promise<boolean> {
  const made = await (hash.kind === 'scrypt' ? scrypt(password, hash) : bcrypt(password, hash))
  return timingSafeEqual(made, hash.hash)
}
