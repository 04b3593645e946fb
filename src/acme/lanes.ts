/**
 * Does `work` for every item, at most `lanes` at a time. The first failure aborts the signal of all others; when they have
 * ended too, it is thrown.
 */
export async function inLanes<T>(
  items: readonly T[],
  lanes: number,
  signal: AbortSignal,
  work: (item: T, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const failed = new AbortController()
  const either = AbortSignal.any([signal, failed.signal])
  const waiting = items.values()
  const drive = async (): Promise<void> => {
    for (const item of waiting) {
      if (either.aborted) return
      await work(item, either)
    }
  }
  const driven = Array.from({ length: Math.min(lanes, items.length) }, () =>
    drive().catch((error) => failed.abort(error)),
  )
  await Promise.all(driven)
  failed.signal.throwIfAborted()
  signal.throwIfAborted()
}
