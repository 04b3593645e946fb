import type { Clock } from './clock.ts'

export type DeadlineOptions = {
  readonly clock: Clock
  readonly ms: number
  /** The caller's own: its abortion ends the work too, with its reason. */
  readonly signal: AbortSignal
  /** Made when time is up, so that it can say how far things had come. */
  readonly expired: () => Error
}

/**
 * Does work that must end in `ms` milliseconds: the signal it gets is aborted then, with `expired()` as the reason. The
 * work must heed its signal; what it does to clean up is waited for.
 */
export async function withDeadline<T>(
  { clock, ms, signal, expired }: DeadlineOptions,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted()
  const timer = new AbortController()
  const end = new AbortController()
  clock.sleep(ms, timer.signal).then(
    () => end.abort(expired()),
    () => {}, // The work was done first.
  )
  try {
    return await work(AbortSignal.any([signal, end.signal]))
  } finally {
    timer.abort()
  }
}

/** What `promise` gives, unless the signal is aborted first: then a rejection with its reason. For what heeds no signal. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason)
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
