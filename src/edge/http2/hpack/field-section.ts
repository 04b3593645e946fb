import { entryBytes } from './dynamic-table.ts'

/** The fields of one block, as far as they keep within the limits of the decoder. */
export type DecodedFields = {
  /** Name, value, name, value, in the order of the block; one character an octet. */
  readonly fields: string[]
  /** A limit was exceeded: `fields` are those before the one that did. */
  readonly isTooLarge: boolean
}

/** Collects fields up to a limit, counted as RFC 9113 §6.5.2 does, and ignores all from the first beyond it. */
export class FieldSection implements DecodedFields {
  readonly fields: string[] = []
  isTooLarge = false
  #bytesLeft: number
  #fieldsLeft: number

  constructor(maxBytes: number, maxFields: number) {
    this.#bytesLeft = maxBytes
    this.#fieldsLeft = maxFields
  }

  /** No name or value that is longer than this can be collected. */
  get bytesLeft(): number {
    return this.#bytesLeft
  }

  add(name: string, value: string): void {
    if (this.isTooLarge) return
    this.#bytesLeft -= entryBytes(name, value)
    this.#fieldsLeft--
    if (this.#bytesLeft < 0 || this.#fieldsLeft < 0) return this.exceed()
    this.fields.push(name, value)
  }

  /** A field came that is larger than any limit. */
  exceed(): void {
    this.isTooLarge = true
    this.#bytesLeft = 0
  }
}
