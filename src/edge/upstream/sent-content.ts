/** As much as fits in a window that nobody has raised yet (RFC 9113 §6.9.2), so all that a refused request has sent. */
const MAX_KEPT_BYTES = 65_535

/** The content of a request that was sent already, kept for as long as it may have to be sent again. */
export class SentContent {
  #pieces: Buffer[] | undefined
  #bytes = 0
  #isKept = true
  #isNone = true

  /** Nothing was sent. */
  get isNone(): boolean {
    return this.#isNone
  }

  /** All that was sent is still here. */
  get isWhole(): boolean {
    return this.#isKept || this.#isNone
  }

  add(piece: Buffer): void {
    this.#isNone = false
    if (!this.#isKept) return
    this.#bytes += piece.length
    if (this.#bytes > MAX_KEPT_BYTES) this.forget()
    else if (this.#pieces === undefined) this.#pieces = [piece]
    else this.#pieces.push(piece)
  }

  /** Gives it all, to be sent again. */
  take(): Buffer[] {
    const pieces = this.#pieces ?? []
    this.#pieces = undefined
    this.#bytes = 0
    this.#isNone = true
    return pieces
  }

  /** It is not going to be sent again. */
  forget(): void {
    this.#pieces = undefined
    this.#isKept = false
  }
}
