/** Control, format, unassigned and line-breaking characters: what could forge a log line or turn a terminal's text around. */
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}\s]+/gu

/** A peer's words for a message or a log: printable, on one line, and no longer than `max` characters. */
export function quote(text: string, max = 1000): string {
  // Cut twice: first so that a megabyte is not searched, then to the length promised.
  const line = text
    .slice(0, max * 4)
    .replace(UNPRINTABLE, ' ')
    .trim()
  return line.length > max ? `${line.slice(0, max)}…` : line
}
