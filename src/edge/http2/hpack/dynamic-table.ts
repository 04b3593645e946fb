/** What an entry counts beyond the octets of its name and value (RFC 7541 §4.1). */
export const ENTRY_OVERHEAD_BYTES = 32

/** Room at first; most connections never need more. Doubled when full, up to 128 entries in 4,096 bytes. */
const INITIAL_SLOTS = 16

/** RFC 7541 §4.1. */
export function entryBytes(name: string, value: string): number {
  return name.length + value.length + ENTRY_OVERHEAD_BYTES
}

/**
 * The dynamic table (RFC 7541 §2.3.2, §4) of one direction of a connection. Positions count from 1, the newest entry.
 * It never holds more than `maxBytes`, and lets go of the strings of an entry as it evicts it.
 */
export class DynamicTable {
  /** A ring, its length a power of two: the name and the value of each entry, in turn. */
  #strings: string[] = new Array<string>(2 * INITIAL_SLOTS).fill('')
  /** The slot of the next entry, counted without end; its place in the ring are the lowest bits. */
  #next = 0
  #count = 0
  #bytes = 0
  #maxBytes: number

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** How many entries there are. */
  get count(): number {
    return this.#count
  }

  /** What they count together. */
  get bytes(): number {
    return this.#bytes
  }

  get maxBytes(): number {
    return this.#maxBytes
  }

  /** Sets the size, evicting what has no room any more (RFC 7541 §4.3). */
  resize(maxBytes: number): void {
    this.#maxBytes = maxBytes
    this.#evictTo(maxBytes)
  }

  /** Makes the entry the newest one. One that is larger than the table empties it, and is no error (RFC 7541 §4.4). */
  insert(name: string, value: string): void {
    const bytes = entryBytes(name, value)
    if (bytes > this.#maxBytes) return this.clear()
    this.#evictTo(this.#maxBytes - bytes)
    if (2 * this.#count === this.#strings.length) this.#grow()
    const at = this.#slot(0)
    this.#strings[at] = name
    this.#strings[at + 1] = value
    this.#next++
    this.#count++
    this.#bytes += bytes
  }

  clear(): void {
    this.#evictTo(0)
  }

  /** The position is one from 1 to `count`. */
  name(position: number): string {
    return this.#strings[this.#slot(position)]!
  }

  /** The position is one from 1 to `count`. */
  value(position: number): string {
    return this.#strings[this.#slot(position) + 1]!
  }

  /** The position of the newest such entry; if there is none, minus that of the newest with this name; or 0. */
  find(name: string, value: string): number {
    let named = 0
    for (let position = 1; position <= this.#count; position++) {
      const at = this.#slot(position)
      if (this.#strings[at] !== name) continue
      if (this.#strings[at + 1] === value) return position
      if (named === 0) named = -position
    }
    return named
  }

  #slot(position: number): number {
    return (2 * (this.#next - position)) & (this.#strings.length - 1)
  }

  #evictTo(bytes: number): void {
    while (this.#bytes > bytes) {
      const at = this.#slot(this.#count)
      this.#bytes -= entryBytes(this.#strings[at]!, this.#strings[at + 1]!)
      this.#strings[at] = ''
      this.#strings[at + 1] = ''
      this.#count--
    }
  }

  #grow(): void {
    const strings = new Array<string>(2 * this.#strings.length).fill('')
    for (let position = this.#count; position >= 1; position--) {
      const to = 2 * (this.#count - position)
      strings[to] = this.name(position)
      strings[to + 1] = this.value(position)
    }
    this.#strings = strings
    this.#next = this.#count
  }
}
