import { randomBytes, scrypt as scryptOf } from 'node:crypto'

/** RFC 7914: the cost is 2^ln, in blocks of r times 128 bytes, p times. */
export type ScryptHash = ScryptCost & { readonly kind: 'scrypt'; readonly salt: Buffer; readonly hash: Buffer }

export type ScryptCost = { readonly ln: number; readonly r: number; readonly p: number }

/** 32 MiB and some 200 ms: what OWASP's Password Storage Cheat Sheet gives as equal to 128 MiB once. */
const COST: ScryptCost = { ln: 15, r: 8, p: 3 }
const SALT_BYTES = 16
const HASH_BYTES = 32

/** Two are made at a time in each worker. */
const MAX_MEMORY_BYTES = 128 * 1024 * 1024
/** Eight times what COST takes. */
const MAX_WORK = 2 ** 23

/** `$scrypt$ln=15,r=8,p=3$SALT$HASH`, in base64 without padding, as PHC strings are. */
const FORM = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,3}),p=(\d{1,3})\$([A-Za-z0-9+/]{11,128})\$([A-Za-z0-9+/]{22,128})$/

/** Reads it, or says what is wrong. */
export function readScrypt(text: string): ScryptHash | string {
  const [, ln, r, p, salt, hash] = FORM.exec(text) ?? []
  if (salt === undefined || hash === undefined) return 'which is not of the form $scrypt$ln=15,r=8,p=3$SALT$HASH'
  const cost = { ln: Number(ln), r: Number(r), p: Number(p) }
  if (cost.ln < 1 || cost.r < 1 || cost.p < 1) return 'which has a cost of nothing'
  if (memoryOf(cost) > MAX_MEMORY_BYTES) return 'which takes more than 128 MiB to verify'
  if (2 ** cost.ln * cost.r * cost.p > MAX_WORK) return 'which takes too long to verify'
  return { kind: 'scrypt', ...cost, salt: Buffer.from(salt, 'base64'), hash: Buffer.from(hash, 'base64') }
}

/** The hash of a new password, as it is written. */
export async function hashPassword(password: Buffer): Promise<string> {
  const salt = randomBytes(SALT_BYTES)
  const hash = await derive(password, salt, HASH_BYTES, COST)
  const { ln, r, p } = COST
  return `$scrypt$ln=${ln},r=${r},p=${p}$${unpadded(salt)}$${unpadded(hash)}`
}

/** Made on a thread of the runtime's. */
export function scrypt(password: Buffer, { salt, hash, ...cost }: ScryptHash): Promise<Buffer> {
  return derive(password, salt, hash.length, cost)
}

function derive(password: Buffer, salt: Buffer, length: number, cost: ScryptCost): Promise<Buffer> {
  const options = { N: 2 ** cost.ln, r: cost.r, p: cost.p, maxmem: memoryOf(cost) + 1024 * 1024 }
  return new Promise((resolve, reject) => {
    scryptOf(password, salt, length, options, (error, key) => (error === null ? resolve(key) : reject(error)))
  })
}

function memoryOf({ ln, r, p }: ScryptCost): number {
  return 128 * r * (2 ** ln + p)
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '')
}
