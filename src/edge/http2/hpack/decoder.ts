import { BlockReader } from './block-reader.ts'
import { DynamicTable } from './dynamic-table.ts'
import { type DecodedFields, FieldSection } from './field-section.ts'
import { HpackError } from './hpack-error.ts'
import { INCREMENTAL_INDEXING, INDEXED, SIZE_UPDATE, WITHOUT_INDEXING } from './representation.ts'
import { STATIC_COUNT, STATIC_NAMES, STATIC_VALUES } from './static-table.ts'

export type { DecodedFields } from './field-section.ts'

export type HpackDecoderOptions = {
  /** The size of the dynamic table, and its limit. Before anything is acknowledged it is 4,096 (RFC 9113 §4.3.1). */
  readonly maxTableBytes: number
  /** Of the fields of one block, each with 32 more (RFC 9113 §6.5.2). */
  readonly maxListBytes: number
  /** How many fields a block may have. */
  readonly maxFields: number
}

/** RFC 7541 §4.2: the smallest size since the last block, then the final one. */
const MAX_SIZE_UPDATES = 2

/**
 * The decoder of one connection (RFC 7541 §3): blocks are given to it whole, each one, in the order they came. It does
 * not know HTTP; names and values are any octets. Once it has thrown, it is not to be used again.
 *
 * The work for a block is in proportion to its octets, whatever they refer to: references copy nothing, and beyond the
 * limits of the list nothing is collected, while the dynamic table keeps in step (CVE-2026-49975). 64 KiB of references
 * take 0.6 ms, of the smallest insertions 1.5 ms.
 */
export class HpackDecoder {
  readonly #table: DynamicTable
  readonly #maxListBytes: number
  readonly #maxFields: number
  #maxTableBytes: number
  /** The next block must begin by setting a size up to this one. */
  #owedTableBytes: number | undefined

  constructor({ maxTableBytes, maxListBytes, maxFields }: HpackDecoderOptions) {
    this.#table = new DynamicTable(maxTableBytes)
    this.#maxTableBytes = maxTableBytes
    this.#maxListBytes = maxListBytes
    this.#maxFields = maxFields
  }

  /** The peer has acknowledged this SETTINGS_HEADER_TABLE_SIZE of ours. A lower one it must follow (RFC 9113 §4.3.1). */
  setMaxTableBytes(bytes: number): void {
    this.#maxTableBytes = bytes
    if (bytes < (this.#owedTableBytes ?? this.#table.maxBytes)) this.#owedTableBytes = bytes
  }

  /** Decodes a whole field block: what stood in a HEADERS frame and the CONTINUATION frames after it. Throws HpackError. */
  decode(block: Buffer): DecodedFields {
    const reader = new BlockReader(block)
    const section = new FieldSection(this.#maxListBytes, this.#maxFields)
    if (this.#owedTableBytes !== undefined || reader.startsWith(SIZE_UPDATE)) this.#readSizeUpdates(reader)
    while (!reader.isAtEnd) this.#readField(reader, section)
    return section
  }

  /** RFC 7541 §4.2, §6.3. */
  #readSizeUpdates(reader: BlockReader): void {
    for (let updates = 0; reader.startsWith(SIZE_UPDATE); updates++) {
      if (updates === MAX_SIZE_UPDATES) throw new HpackError('hpack-size-update-repeated')
      this.#updateSize(reader.integer(reader.octet(), SIZE_UPDATE.prefix))
    }
    if (this.#owedTableBytes !== undefined) throw missingSizeUpdate(this.#owedTableBytes)
  }

  #updateSize(bytes: number): void {
    const limit = this.#maxTableBytes
    if (bytes > limit) throw new HpackError('hpack-size-update-too-large', { bytes, limit })
    if (this.#owedTableBytes !== undefined && bytes > this.#owedTableBytes)
      throw missingSizeUpdate(this.#owedTableBytes)
    this.#owedTableBytes = undefined
    this.#table.resize(bytes)
  }

  /** RFC 7541 §6. */
  #readField(reader: BlockReader, section: FieldSection): void {
    const first = reader.octet()
    if (first >= INDEXED.pattern) return this.#addEntry(reader.integer(first, INDEXED.prefix), section)
    if (first >= INCREMENTAL_INDEXING.pattern) return this.#readIndexedLiteral(first, reader, section)
    if (first >= SIZE_UPDATE.pattern) throw new HpackError('hpack-size-update-late')
    this.#readLiteral(first, reader, section)
  }

  #addEntry(index: number, section: FieldSection): void {
    if (index > STATIC_COUNT) {
      const position = this.#position(index)
      return section.add(this.#table.name(position), this.#table.value(position))
    }
    if (index === 0) throw new HpackError('hpack-index-invalid', { index })
    section.add(STATIC_NAMES[index]!, STATIC_VALUES[index]!)
  }

  /** RFC 7541 §6.2.1. */
  #readIndexedLiteral(first: number, reader: BlockReader, section: FieldSection): void {
    const index = reader.integer(first, INCREMENTAL_INDEXING.prefix)
    const maxBytes = Math.max(this.#table.maxBytes, section.bytesLeft)
    const name = this.#readName(index, reader, maxBytes)
    const value = reader.string(maxBytes)
    if (name !== undefined && value !== undefined) {
      section.add(name, value)
      return this.#table.insert(name, value)
    }
    // Larger than both. RFC 7541 §4.4: what is larger than the table empties it.
    section.exceed()
    this.#table.clear()
  }

  /**
   * RFC 7541 §6.2.2, §6.2.3. That a field is never to be indexed matters to who encodes it again; requests go on as
   * HTTP/1.1, which has no compression.
   */
  #readLiteral(first: number, reader: BlockReader, section: FieldSection): void {
    const index = reader.integer(first, WITHOUT_INDEXING.prefix)
    const name = this.#readName(index, reader, section.bytesLeft)
    const value = reader.string(section.bytesLeft)
    if (name === undefined || value === undefined) section.exceed()
    else section.add(name, value)
  }

  #readName(index: number, reader: BlockReader, maxBytes: number): string | undefined {
    if (index === 0) return reader.string(maxBytes)
    return index <= STATIC_COUNT ? STATIC_NAMES[index]! : this.#table.name(this.#position(index))
  }

  /** Of an entry in the dynamic table, which must exist (RFC 7541 §2.3.3). */
  #position(index: number): number {
    const position = index - STATIC_COUNT
    if (position > this.#table.count) throw new HpackError('hpack-index-invalid', { index })
    return position
  }
}

function missingSizeUpdate(limit: number): HpackError {
  return new HpackError('hpack-size-update-missing', { limit })
}
