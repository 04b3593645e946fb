/** Control, format, unassigned and line-breaking characters: what could forge a log line or turn a terminal's text around. */
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}\s]+/gu

/** From a PEM label on (RFC 7468 §10, §11), once the text is on one line: a key has no place in a log, not even a peer's. */
const PRIVATE_KEY = /-----BEGIN [a-z0-9 ]*PRIVATE KEY.*/i

/** A peer's words for a message or a log: printable, on one line, without keys, and no longer than `max` characters. */
export function quote(text: string, max = 1000): string {
  // Cut twice: first so that a megabyte is not searched, then to the length promised.
  const line = text
    .slice(0, max * 4)
    .replace(UNPRINTABLE, ' ')
    .replace(PRIVATE_KEY, '(a private key, left out)')
    .trim()
  return line.length > max ? `${line.slice(0, max)}…` : line
}
