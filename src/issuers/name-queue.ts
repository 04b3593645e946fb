import { abortable } from '../system/deadline.ts'

/** Lets work on the same name run one after the other, in the order of arrival; other names do not wait. */
export class NameQueue {
  /** The end of the last work on each name, that which waits included. */
  readonly #ends = new Map<string, Promise<void>>()

  /**
   * Does `work` when everything before it that has any of these names has ended. Rejects with the signal's reason if that
   * takes too long; the others keep their turns.
   */
  async run<T>(names: readonly string[], signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const before = Promise.all(names.map((name) => this.#ends.get(name)))
    const { promise: done, resolve: finish } = Promise.withResolvers<void>()
    const end = before.then(() => done)
    for (const name of names) this.#ends.set(name, end)
    end.then(() => this.#forget(names, end))
    try {
      await abortable(before, signal)
      return await work()
    } finally {
      finish()
    }
  }

  /** Names that are worked on or waited for. */
  get size(): number {
    return this.#ends.size
  }

  #forget(names: readonly string[], end: Promise<void>): void {
    for (const name of names) if (this.#ends.get(name) === end) this.#ends.delete(name)
  }
}
