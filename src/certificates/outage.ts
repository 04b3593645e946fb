import { isOrder, type Step } from './plan.ts'
import { spokenTime } from './spoken-time.ts'

/** Why nothing is ordered from a CA for a while. Times in ms since 1970. */
export type OutageReport = {
  /** As the config calls it. */
  readonly issuer: string
  readonly since: number
  /** The last failure, in words. */
  readonly reason: string
  readonly probeAt: number
}

/** The same step, put off where its CA is out of order. */
export function planHeld(step: Step, outage: OutageReport, now: number): Step {
  const at = Math.max(outage.probeAt, now)
  if (!isOrder(step) || step.at > at) return step
  return { type: step.type, at, because: `waits for the CA: ${describeOutage(outage)}` }
}

export function describeOutage({ issuer, since, reason }: Omit<OutageReport, 'probeAt'>): string {
  return `${issuer} is out of order since ${spokenTime(since)} (${reason})`
}

/** Whether an error says of itself that it was about the CA as such; one of another kind says nothing. */
export function concernsCa(error: unknown): boolean {
  return error instanceof Error && 'concernsCa' in error && error.concernsCa === true
}

/** Whether an error says of itself that nobody was asked: that tells nothing of the CA. */
export function isForesight(error: unknown): boolean {
  return error instanceof Error && 'isForesight' in error && error.isForesight === true
}

/** Milliseconds; NaN and the past are no wait. */
export function retryAfterOf(error: unknown): number {
  const hint = error instanceof Error && 'retryAfterMs' in error ? error.retryAfterMs : undefined
  return typeof hint === 'number' && hint > 0 ? hint : 0
}
