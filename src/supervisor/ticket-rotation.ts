import type { TicketSecrets } from '../edge/tls/ticket-keys.ts'
import type { Clock } from '../system/clock.ts'

/**
 * Whoever learns the secret can read what was said in sessions whose tickets were made with it, so it does not live long;
 * a client that comes back the next morning should still resume.
 */
const ROTATION_MS = 12 * 60 * 60 * 1000
const SECRET_BYTES = 32

/** The secrets behind session tickets, which the workers share. They are in no file: a restart makes new ones. */
export class TicketRotation {
  readonly #clock: Clock
  readonly #randomBytes: (size: number) => Buffer
  readonly #stopping = new AbortController()
  #secrets: TicketSecrets
  #running: Promise<void> = Promise.resolve()

  /** @param secrets with which clients hold tickets already; a new one is made unless given. */
  constructor(clock: Clock, randomBytes: (size: number) => Buffer, secrets?: TicketSecrets) {
    this.#clock = clock
    this.#randomBytes = randomBytes
    this.#secrets = secrets ?? [this.#newSecret()]
  }

  get secrets(): TicketSecrets {
    return this.#secrets
  }

  /** Makes a new secret from time to time, and keeps the one before it. */
  start(onChange: (secrets: TicketSecrets) => void): void {
    this.#running = this.#rotate(onChange)
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }

  async #rotate(onChange: (secrets: TicketSecrets) => void): Promise<void> {
    const { signal } = this.#stopping
    while (!signal.aborted) {
      // Aborted, it is over; who aborts it does not wait for a rotation.
      await this.#clock.sleep(ROTATION_MS, signal).catch(() => {})
      if (signal.aborted) return
      this.#secrets = [this.#newSecret(), this.#secrets[0]]
      onChange(this.#secrets)
    }
  }

  #newSecret(): string {
    return this.#randomBytes(SECRET_BYTES).toString('base64')
  }
}
