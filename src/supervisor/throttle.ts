import type { Clock } from '../system/clock.ts'

/**
 * Gives a function that runs `work`: at once if the last run is `intervalMs` milliseconds ago, as that was when it ran,
 * otherwise when it is, however often it is called until then. It resolves once that run has been.
 */
export function throttle(work: () => void, intervalMs: () => number, clock: Clock): () => Promise<void> {
  let isResting = false
  let asked: PromiseWithResolvers<void> | undefined
  const run = async (): Promise<void> => {
    isResting = true
    while (asked !== undefined) {
      const { resolve } = asked
      asked = undefined
      work()
      resolve()
      await clock.sleep(intervalMs())
    }
    isResting = false
  }
  return () => {
    asked ??= Promise.withResolvers()
    const { promise } = asked
    if (!isResting) void run()
    return promise
  }
}
