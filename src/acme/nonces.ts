/** Each authorization of a large order gives a nonce back; older ones are likelier to have expired. */
const MAX_NONCES = 32

/** RFC 8555 §6.5.1; real ones have some 20 to 70 characters. */
const NONCE = /^[A-Za-z0-9_-]{1,512}$/

/** The nonces of one ACME server that are not used yet (RFC 8555 §6.5). The newest is used first. */
export class NoncePool {
  #nonces: string[] = []

  /** Keeps the value of a Replay-Nonce field. An absent or malformed one is ignored, as §6.5.1 demands. */
  add(field: string | readonly string[] | undefined): void {
    if (typeof field !== 'string' || !NONCE.test(field)) return
    this.#nonces.push(field)
    if (this.#nonces.length > MAX_NONCES) this.#nonces.shift()
  }

  /** A nonce that nobody else gets. */
  take(): string | undefined {
    return this.#nonces.pop()
  }

  /** Forgets all: a server that has refused one has most likely forgotten the others too. */
  clear(): void {
    this.#nonces = []
  }

  get size(): number {
    return this.#nonces.length
  }
}
