import type { Fields } from '../../exchange/exchange.ts'
import { MAX_STRING_OVERHEAD_BYTES, writeInteger, writePlainString, writeShortestString } from './block-writer.ts'
import { DynamicTable, entryBytes } from './dynamic-table.ts'
import { FIELD_NAMES, type FieldName, type FieldNames } from './field-names.ts'
import {
  INCREMENTAL_INDEXING,
  INDEXED,
  NEVER_INDEXED,
  type Representation,
  SIZE_UPDATE,
  WITHOUT_INDEXING,
} from './representation.ts'
import { STATIC_COUNT } from './static-table.ts'

/** The size that both sides begin with (RFC 9113 §4.3.1). More would cost memory on every connection and gain little. */
const MAX_TABLE_BYTES = 4096

/** A larger entry would evict nearly all others, so it is not indexed; as in nghttp2, three quarters of the table. */
const MAX_ENTRY_SHARE = 3 / 4

/** Two updates, of three octets each, as no size is above 4,096 (RFC 7541 §4.2). */
const MAX_SIZE_UPDATE_BYTES = 6
/** The first octet, its name and its value as literals. An index, of three octets at most, takes less than a name. */
const MAX_FIELD_OVERHEAD_BYTES = 1 + 2 * MAX_STRING_OVERHEAD_BYTES

/** So much room is enough for the block of a field section, whatever the state of the encoder. */
export function maxEncodedBytes(pseudo: Fields, fields: Fields): number {
  return MAX_SIZE_UPDATE_BYTES + maxFieldBytes(pseudo) + maxFieldBytes(fields)
}

function maxFieldBytes(fields: Fields): number {
  let bytes = (fields.length / 2) * MAX_FIELD_OVERHEAD_BYTES
  for (let at = 0; at < fields.length; at++) bytes += fields[at]!.length
  return bytes
}

/**
 * The encoder of one connection (RFC 7541 §2.2): blocks are sent whole, in the order they were encoded.
 *
 * Values that go into the dynamic table are Huffman-encoded, once a connection; those that are sent each time are not:
 * a date takes 170 ns and 22 octets with, 25 ns and 29 octets without (Node 26). That is 20 ns for each octet saved.
 */
export class HpackEncoder {
  readonly #names: FieldNames
  readonly #table = new DynamicTable(MAX_TABLE_BYTES)
  #maxTableBytes = MAX_TABLE_BYTES
  /** The lowest since the last block, which the peer must learn too (RFC 7541 §4.2). */
  #lowestTableBytes = MAX_TABLE_BYTES

  constructor(names: FieldNames = FIELD_NAMES) {
    this.#names = names
  }

  /** Takes the peer's SETTINGS_HEADER_TABLE_SIZE. The next block begins by following it, so acknowledge it before that. */
  setMaxTableBytes(bytes: number): void {
    this.#maxTableBytes = Math.min(bytes, MAX_TABLE_BYTES)
    this.#lowestTableBytes = Math.min(this.#lowestTableBytes, this.#maxTableBytes)
  }

  /**
   * Writes the block of a field section, pseudo-header fields first, and returns the offset after it; or -1, and then
   * nothing has changed, if there is less room than `maxEncodedBytes`. Names are lower-cased. Names and values must
   * have one character an octet, and be valid in HTTP.
   */
  encode(pseudo: Fields, fields: Fields, out: Buffer, at: number): number {
    if (out.length - at < maxEncodedBytes(pseudo, fields)) return -1
    const start = this.#writeSizeUpdates(out, at)
    return this.#writeFields(fields, out, this.#writeFields(pseudo, out, start))
  }

  #writeSizeUpdates(out: Buffer, at: number): number {
    if (this.#lowestTableBytes < this.#table.maxBytes) at = this.#writeSizeUpdate(this.#lowestTableBytes, out, at)
    if (this.#maxTableBytes !== this.#table.maxBytes) at = this.#writeSizeUpdate(this.#maxTableBytes, out, at)
    this.#lowestTableBytes = this.#maxTableBytes
    return at
  }

  /** RFC 7541 §6.3. */
  #writeSizeUpdate(bytes: number, out: Buffer, at: number): number {
    this.#table.resize(bytes)
    return writeInteger(SIZE_UPDATE, bytes, out, at)
  }

  #writeFields(fields: Fields, out: Buffer, at: number): number {
    for (let index = 0; index < fields.length; index += 2)
      at = this.#writeField(fields[index]!, fields[index + 1]!, out, at)
    return at
  }

  #writeField(name: string, value: string, out: Buffer, at: number): number {
    const known = this.#names.get(name) ?? this.#names.get(name.toLowerCase())
    if (known === undefined) return writeUnknownField(name.toLowerCase(), value, out, at)
    if (value.length < known.neverIndexedBelowBytes) return writeLiteral(NEVER_INDEXED, known, value, out, at)
    const staticIndex = indexInStaticTable(known, value)
    if (staticIndex > 0) return writeInteger(INDEXED, staticIndex, out, at)
    if (!known.isIndexed) return writeLiteral(WITHOUT_INDEXING, known, value, out, at)
    return this.#writeIndexedField(known, value, out, at)
  }

  #writeIndexedField(known: FieldName, value: string, out: Buffer, at: number): number {
    const position = this.#table.find(known.name, value)
    if (position > 0) return writeInteger(INDEXED, STATIC_COUNT + position, out, at)
    if (entryBytes(known.name, value) > this.#table.maxBytes * MAX_ENTRY_SHARE)
      return writeLiteral(WITHOUT_INDEXING, known, value, out, at)
    const nameIndex = known.staticIndex > 0 || position === 0 ? known.staticIndex : STATIC_COUNT - position
    this.#table.insert(known.name, copied(value))
    const start = writeName(INCREMENTAL_INDEXING, nameIndex, known, out, at)
    return writeShortestString(value, out, start)
  }
}

/** A name of which nothing is known. */
function writeUnknownField(name: string, value: string, out: Buffer, at: number): number {
  out[at] = WITHOUT_INDEXING.pattern
  return writePlainString(value, out, writePlainString(name, out, at + 1))
}

/** A field that stays out of the table, so it is worth no Huffman code. */
function writeLiteral(kind: Representation, known: FieldName, value: string, out: Buffer, at: number): number {
  return writePlainString(value, out, writeName(kind, known.staticIndex, known, out, at))
}

/** RFC 7541 §6.2: the index of an entry with the name, or 0 and the name. */
function writeName(kind: Representation, index: number, known: FieldName, out: Buffer, at: number): number {
  const end = writeInteger(kind, index, out, at)
  if (index > 0) return end
  out.set(known.literal, end)
  return end + known.literal.length
}

function indexInStaticTable({ staticIndex, staticValues }: FieldName, value: string): number {
  for (let at = 0; at < staticValues.length; at++) if (staticValues[at] === value) return staticIndex + at
  return 0
}

/** The string by itself: V8 keeps the whole head of a message as long as there is a piece that was cut out of it. */
function copied(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1')
}
