/** The time, passed in, so that months are tested in milliseconds. */
export interface Clock {
  /** Milliseconds since 1970-01-01T00:00:00Z. */
  now(): number
  /** Resolves after `ms` milliseconds; rejects with the signal's reason as soon as it is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

/** setTimeout counts in a signed 32-bit integer: longer waits are made of several. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  async sleep(ms, signal) {
    for (let left = ms; left > 0; left -= MAX_TIMEOUT_MS) await timeout(Math.min(left, MAX_TIMEOUT_MS), signal)
    signal?.throwIfAborted()
  },
}

function timeout(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted()
    const onAbort = (): void => {
      clearTimeout(timer)
      reject(signal?.reason)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    }, ms)
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}

/** Waits so many milliseconds, but no longer than until one of these signals is aborted. Never rejects. */
export async function pause(clock: Pick<Clock, 'sleep'>, ms: number, ...signals: AbortSignal[]): Promise<void> {
  await clock.sleep(ms, AbortSignal.any(signals)).catch(() => {})
}
