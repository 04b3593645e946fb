import { randomBytes } from 'node:crypto'
import { Refusal } from './answer.ts'

/** The nonces that the CA has given out and not seen again (RFC 8555 §6.5). */
export class CaNonces {
  readonly #fresh = new Set<string>()

  make(): string {
    const nonce = randomBytes(16).toString('base64url')
    this.#fresh.add(nonce)
    return nonce
  }

  /** As a CA does that was restarted, or has several machines that do not talk. */
  forgetAll(): void {
    this.#fresh.clear()
  }

  /** Throws Refusal `badNonce`. */
  take(nonce: unknown): void {
    if (!this.#fresh.delete(String(nonce))) throw new Refusal('badNonce', 'JWS has an invalid anti-replay nonce')
  }
}
