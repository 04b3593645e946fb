/** What a client says in Authorization: the name as text, the password as bytes (RFC 7617 §2, §2.1). */
export type Credentials = { readonly name: string; readonly password: Buffer }

/** RFC 9110 §11.4; the scheme in any case. */
const BASIC = /^basic +([A-Za-z0-9+/]+={0,2}) *$/i

/** Nobody has a longer one, and a hash takes the longer. */
const MAX_BYTES = 1024

/** The name and password of the one Authorization field, or undefined: of two, each would be read by somebody. */
export function readCredentials(values: readonly string[]): Credentials | undefined {
  const [, text] = (values.length === 1 && BASIC.exec(values[0]!)) || []
  if (text === undefined) return undefined
  const bytes = Buffer.from(text, 'base64')
  const colon = bytes.indexOf(0x3a)
  if (colon < 0 || bytes.length > MAX_BYTES || bytes.some((byte) => byte < 0x20 || byte === 0x7f)) return undefined
  return { name: bytes.toString('utf8', 0, colon), password: bytes.subarray(colon + 1) }
}
