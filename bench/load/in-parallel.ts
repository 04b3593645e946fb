/** Runs a task `count` times, at most `width` of them at once. Rejects with the first failure, when all have ended. */
export async function inParallel(count: number, width: number, task: (index: number) => Promise<void>): Promise<void> {
  let next = 0
  let hasFailed = false
  const lane = async (): Promise<void> => {
    while (next < count && !hasFailed) {
      try {
        await task(next++)
      } catch (error) {
        hasFailed = true
        throw error
      }
    }
  }
  const results = await Promise.allSettled(Array.from({ length: Math.min(width, count) }, lane))
  for (const result of results) if (result.status === 'rejected') throw result.reason
}
