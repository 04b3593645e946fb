import type { Certificate } from '../pki/certificate.ts'
import type { Clock } from '../system/clock.ts'
import type { Staples } from './staples.ts'

export type SuccessionOptions = {
  readonly clock: Clock
  readonly staples: Pick<Staples, 'first' | 'isAwaited' | 'stapledUntil' | 'need' | 'answered'>
}

type Named = Pick<Certificate, 'fingerprint'>

/** What happens while a certificate waits. */
export type Waiting = {
  /** Somebody has asked for it: it waits for the first answer, and no longer. */
  readonly isUrgent: boolean
  /** Called once if the wait becomes a long one, with its end in ms since 1970. */
  readonly onLongWait: (until: number) => void
  /** Aborted when the program stops. */
  readonly signal: AbortSignal
}

/** Of what the former one has left: no wait takes more, so that there is time for another order if the new one is no good. */
const LARGEST_PART_OF_REST = 1 / 2
/** The former one may turn out to be revoked meanwhile. */
const LOOK_AGAIN_MS = 60_000

/**
 * Waits until a new certificate can take the place of one that is served with a staple: until it has a staple too, for a
 * responder may be out, or learn of new certificates late. A client that insists on staples would refuse the one, while the
 * other is as good as ever. So it waits as long as the former is valid, stapled, and not nearly at its end.
 */
export async function awaitSuccession(
  former: Named & Pick<Certificate, 'notAfter'>,
  next: Named,
  { clock, staples }: SuccessionOptions,
  { isUrgent, onLongWait, signal }: Waiting,
): Promise<void> {
  const end = clock.now() + (former.notAfter - clock.now()) * LARGEST_PART_OF_REST
  const latest = (): number => Math.min(end, staples.stapledUntil(former) ?? 0)
  if (latest() <= clock.now()) return
  if (!isUrgent) staples.need(next, latest())
  await staples.first(next)
  for (let isLong = false; !isUrgent && !signal.aborted && staples.isAwaited(next); isLong = true) {
    const [now, until] = [clock.now(), latest()]
    if (until <= now) break
    if (!isLong) onLongWait(Math.round(end))
    staples.need(next, until)
    await staples.answered(next, Math.min(until - now, LOOK_AGAIN_MS))
  }
  staples.need(next, undefined)
}
