/** Smaller pieces are gathered: an object for each octet would take a hundred times its memory. */
const SMALL_BYTES = 1024
/** So much was taken of a piece that has become small. */
const MIN_TAKEN_BYTES = 8 * 1024
/** What small pieces are gathered into. */
const GATHERED_BYTES = 4096

/** Content that waits, in the pieces in which it came, but that small ones are joined. */
export class ContentQueue {
  readonly #pieces: Buffer[] = []
  /** What has been taken of the first piece. */
  #taken = 0
  #bytes = 0
  /** Room behind the last piece, if that is one of gathered small ones: its whole buffer. */
  #room: Buffer | undefined

  /** How much waits. */
  get bytes(): number {
    return this.#bytes
  }

  push(piece: Buffer): void {
    if (piece.length === 0) return
    this.#bytes += piece.length
    if (piece.length < SMALL_BYTES && this.#gather(piece)) return
    this.#pieces.push(piece)
    this.#room = undefined
  }

  /** Moves the first `bytes`, of which there must be so many, to `out`. */
  takeInto(out: Buffer, at: number, bytes: number): void {
    while (bytes > 0) {
      const piece = this.#pieces[0]!
      const end = Math.min(piece.length, this.#taken + bytes)
      piece.copy(out, at, this.#taken, end)
      const moved = end - this.#taken
      this.#bytes -= moved
      at += moved
      bytes -= moved
      this.#taken = end
      if (end === piece.length) this.#dropFirst()
    }
    if (this.#taken >= MIN_TAKEN_BYTES && this.#pieces[0]!.length - this.#taken < SMALL_BYTES) this.#keepRest()
  }

  /** Little that is left of a large piece must not keep its memory until somebody takes it. */
  #keepRest(): void {
    const rest = this.#pieces[0]!.subarray(this.#taken)
    // Not of Node's pool, whose slabs are as large as what is to go.
    this.#pieces[0] = Buffer.allocUnsafeSlow(rest.length)
    rest.copy(this.#pieces[0])
    this.#taken = 0
    if (this.#pieces.length === 1) this.#room = undefined
  }

  /** The first piece, or undefined if nothing waits. */
  shift(): Buffer | undefined {
    const [piece] = this.#pieces
    if (piece === undefined) return undefined
    const rest = piece.subarray(this.#taken)
    this.#bytes -= rest.length
    this.#dropFirst()
    return rest
  }

  clear(): void {
    this.#pieces.length = 0
    this.#taken = 0
    this.#bytes = 0
    this.#room = undefined
  }

  /** Joins it to small ones before it. False if there are none: it may be the only one. */
  #gather(piece: Buffer): boolean {
    const last = this.#pieces.at(-1)
    if (last === undefined || last.length + piece.length > GATHERED_BYTES) return false
    if (this.#room === undefined) {
      if (last.length >= SMALL_BYTES) return false
      this.#room = Buffer.allocUnsafeSlow(GATHERED_BYTES)
      last.copy(this.#room)
    }
    piece.copy(this.#room, last.length)
    this.#pieces[this.#pieces.length - 1] = this.#room.subarray(0, last.length + piece.length)
    return true
  }

  #dropFirst(): void {
    this.#pieces.shift()
    this.#taken = 0
    if (this.#pieces.length === 0) this.#room = undefined
  }
}
