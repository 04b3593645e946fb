/** Content that waits to be sent, in the pieces in which it came. */
export class ContentQueue {
  readonly #pieces: Buffer[] = []
  /** What has been taken of the first piece. */
  #taken = 0
  #bytes = 0

  /** How much waits. */
  get bytes(): number {
    return this.#bytes
  }

  push(piece: Buffer): void {
    if (piece.length === 0) return
    this.#pieces.push(piece)
    this.#bytes += piece.length
  }

  /** Moves the first `bytes`, of which there must be so many, to `out`. */
  takeInto(out: Buffer, at: number, bytes: number): void {
    this.#bytes -= bytes
    while (bytes > 0) {
      const piece = this.#pieces[0]!
      const end = Math.min(piece.length, this.#taken + bytes)
      piece.copy(out, at, this.#taken, end)
      at += end - this.#taken
      bytes -= end - this.#taken
      this.#taken = end
      if (end === piece.length) this.#dropFirst()
    }
  }

  clear(): void {
    this.#pieces.length = 0
    this.#taken = 0
    this.#bytes = 0
  }

  #dropFirst(): void {
    this.#pieces.shift()
    this.#taken = 0
  }
}
