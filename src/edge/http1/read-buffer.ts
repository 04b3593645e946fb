import { countReadBytes } from '../buffer-garbage.ts'

/** What one read can bring. Node's own buffers for reading are as large. */
const READ_BYTES = 64 * 1024
/** From here on a buffer that is handed over as a whole costs less than a copy. */
const MIN_BULK_BYTES = READ_BYTES / 2

/** The system reads into it and whoever wants some of it takes a copy, before the next read of any connection. */
const SHARED = Buffer.allocUnsafeSlow(READ_BYTES)

/** Up to here a loop takes less than a call of Buffer's copy, which looks at its arguments for some 80 ns first. */
const MAX_LOOPED_BYTES = 64

/** Copies all of `piece` to `at` in `target`, which has room for it. */
export function copyBytes(piece: Buffer, target: Buffer, at: number): void {
  const { length } = piece
  if (length > MAX_LOOPED_BYTES) piece.copy(target, at)
  else for (let index = 0; index < length; index++) target[at + index] = piece[index]!
}

/**
 * Where the reads of a connection go: into one buffer that all share, as long as they are small; into buffers of their own,
 * which are then handed over, while they are large. So small responses allocate what they need, and large ones are never
 * copied.
 */
export class ReadBuffer {
  #current = SHARED
  #isBulk = false

  /** The buffer for the next read; to be asked for before each. */
  next(): Buffer {
    this.#current = this.#isBulk ? Buffer.allocUnsafeSlow(READ_BYTES) : SHARED
    return this.#current
  }

  /** Says that a read has brought so many bytes, and gives them: valid only now, unless passed to `own`. */
  take(length: number): Buffer {
    const buffer = this.#current
    if (buffer !== SHARED) countReadBytes(READ_BYTES)
    this.#isBulk = length >= MIN_BULK_BYTES
    return length === buffer.length ? buffer : buffer.subarray(0, length)
  }

  /** The same bytes, for whoever keeps them: `piece` is what `take` gave, or a part of it. */
  own(piece: Buffer): Buffer {
    if (this.#current !== SHARED) return piece
    const copy = Buffer.allocUnsafe(piece.length)
    copyBytes(piece, copy, 0)
    return copy
  }
}
