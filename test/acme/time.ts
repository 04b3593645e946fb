import { setImmediate } from 'node:timers/promises'
import type { FakeClock } from '../fakes/fake-clock.ts'

const MINUTE = 60_000

/**
 * Lets time jump from one sleeper to the next until the work is done, but never further than `patience` at once: work that
 * signs or waits for the network takes no time, and a deadline further away does not end it. One call a clock at a time.
 */
export async function asTimePasses<T>(clock: FakeClock, work: Promise<T>, patience = 5 * MINUTE): Promise<T> {
  let done = false
  const ended = (): void => {
    done = true
  }
  work.then(ended, ended)
  while (!done) {
    await setImmediate()
    const wait = (clock.next ?? Number.POSITIVE_INFINITY) - clock.now()
    if (wait <= patience) await clock.advance(wait)
  }
  return work
}
