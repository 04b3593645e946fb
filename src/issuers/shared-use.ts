import { abortable } from '../system/deadline.ts'

/** Lets many use a thing at once, and one change it while nobody does. */
export class SharedUse {
  readonly #users = new Set<Promise<unknown>>()
  /** The end of the last change, that which waits included. */
  #change: Promise<unknown> = Promise.resolve()

  /** Does `work` once no change is under way or waits. Rejects with the signal's reason if that takes too long. */
  async share<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    await abortable(this.#change, signal)
    const using = work()
    this.#users.add(using)
    try {
      return await using
    } finally {
      this.#users.delete(using)
    }
  }

  /** Does `work` once all who began before have ended; who comes later waits for it. Rejects as `share` does. */
  async alone<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const before = Promise.allSettled([this.#change, ...this.#users])
    const { promise: done, resolve: finish } = Promise.withResolvers<void>()
    this.#change = done
    try {
      await abortable(before, signal)
      return await work()
    } finally {
      finish()
    }
  }
}
