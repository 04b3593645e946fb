import type { Clock } from '../system/clock.ts'

/**
 * Gives a function that runs `work`: at once if the last run is `intervalMs` milliseconds ago, as that was when it ran,
 * otherwise when it is, however often it is called until then.
 */
export function throttle(work: () => void, intervalMs: () => number, clock: Clock): () => void {
  let isResting = false
  let isAsked = false
  const run = async (): Promise<void> => {
    isResting = true
    do {
      isAsked = false
      work()
      await clock.sleep(intervalMs())
    } while (isAsked)
    isResting = false
  }
  return () => {
    isAsked = true
    if (!isResting) void run()
  }
}
