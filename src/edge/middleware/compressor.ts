import {
  type BrotliCompress,
  constants,
  createBrotliCompress,
  createGzip,
  createZstdCompress,
  type Gzip,
  type ZstdCompress,
} from 'node:zlib'
import type { ContentCoding } from '../content-coding.ts'

type Stream = BrotliCompress | Gzip | ZstdCompress

/** What waits in front of a compressor, and behind it: one read of an upstream. */
const WATER = { highWaterMark: 64 * 1024 }

/**
 * Levels for content that is made as it is asked for, where each costs about as much CPU as gzip's 5. Windows and tables are
 * small, which lengthens a page of 70 kB by half a percent: a compressor in the midst of its work takes 340 KiB (gzip), 630
 * (zstd; 1330 with a window of 256 KiB and tables to match) or 850 (Brotli; 1250).
 */
const OPEN = {
  gzip: () => createGzip({ level: 5, ...WATER }),
  br: () =>
    createBrotliCompress({
      ...WATER,
      params: { [constants.BROTLI_PARAM_QUALITY]: 4, [constants.BROTLI_PARAM_LGWIN]: 16 },
    }),
  zstd: () =>
    createZstdCompress({
      ...WATER,
      params: {
        [constants.ZSTD_c_compressionLevel]: 3,
        [constants.ZSTD_c_windowLog]: 16,
        [constants.ZSTD_c_hashLog]: 15,
        [constants.ZSTD_c_chainLog]: 15,
      },
    }),
} satisfies Record<ContentCoding, () => Stream>

const FLUSH: Record<ContentCoding, number> = {
  gzip: constants.Z_SYNC_FLUSH,
  br: constants.BROTLI_OPERATION_FLUSH,
  zstd: constants.ZSTD_e_flush,
}

/** Whom a compressor tells what comes of it. */
export interface CompressorOwner {
  /** False: no more before `resume()`. */
  onCompressed(piece: Buffer): boolean
  /** It has taken enough for more to be written. */
  onCompressorDrain(): void
  /** All of it has been told. */
  onCompressedEnd(): void
  onCompressorFault(): void
}

/** The compressors of a worker: no more than so many at a time, as each has its window. */
export class Compressors {
  readonly #most: number
  readonly #open = new Set<Compressor>()

  constructor(most: number) {
    this.#most = most
  }

  get size(): number {
    return this.#open.size
  }

  /** undefined where there are as many as there may be. */
  open(coding: ContentCoding, owner: CompressorOwner): Compressor | undefined {
    if (this.#open.size >= this.#most) return undefined
    const compressor = new Compressor(coding, owner, () => this.#open.delete(compressor))
    this.#open.add(compressor)
    return compressor
  }
}

/**
 * Compresses one response. Whatever was written is given out as soon as there is nothing more to compress, so that an event
 * or a part of a slow page does not wait for the next. It holds at most two reads of an upstream.
 */
export class Compressor {
  readonly #stream: Stream
  readonly #flushKind: number
  readonly #onClosed: () => void
  /** Pieces that are being compressed. */
  #pieces = 0
  #hasEnded = false

  constructor(coding: ContentCoding, owner: CompressorOwner, onClosed: () => void) {
    this.#stream = OPEN[coding]()
    this.#flushKind = FLUSH[coding]
    this.#onClosed = onClosed
    this.#stream.on('data', (piece: Buffer) => {
      if (!owner.onCompressed(piece)) this.#stream.pause()
    })
    this.#stream.on('drain', () => {
      if (!this.#hasEnded) owner.onCompressorDrain()
    })
    this.#stream.on('end', () => {
      this.close()
      owner.onCompressedEnd()
    })
    this.#stream.on('error', () => {
      this.close()
      owner.onCompressorFault()
    })
  }

  /** False: no more before the owner is told. */
  write(piece: Buffer): boolean {
    this.#pieces++
    return this.#stream.write(piece, this.#taken)
  }

  resume(): void {
    this.#stream.resume()
  }

  end(): void {
    this.#hasEnded = true
    this.#stream.end()
  }

  /** Gives back its memory, at once or when the piece under way is compressed; the owner hears no more. */
  close(): void {
    this.#hasEnded = true
    this.#stream.removeAllListeners('data').destroy()
    this.#onClosed()
  }

  readonly #taken = (error?: Error | null): void => {
    this.#pieces--
    if (error || this.#pieces > 0 || this.#hasEnded) return
    this.#stream.flush(this.#flushKind)
  }
}
