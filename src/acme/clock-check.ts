import { AcmeError } from './acme-error.ts'
import type { TransportResponse } from './transport.ts'

const HOUR_MS = 60 * 60 * 1000

/** CAs date certificates back by about an hour: behind by more than that, a new one has not begun for us. */
const MAX_BEHIND_MS = HOUR_MS
/** Ahead, it only seems older than it is, which matters once that is a good part of the shortest lifetimes (6 days). */
const MAX_AHEAD_MS = 24 * HOUR_MS

/**
 * Compares this machine's clock with the Date of a CA's answer (RFC 9110 §6.6.1), before anything is ordered: with a wrong
 * clock every certificate that comes is refused, and the CA has counted it. Throws AcmeError `clock-wrong`.
 */
export function checkClock({ url, headers }: TransportResponse, now: number): void {
  const date = Date.parse(String(headers.date))
  if (Number.isNaN(date)) return
  // What a cache answers is as old as it says (RFC 9111 §5.1).
  const age = Number.parseInt(String(headers.age), 10) || 0
  const theirs = date + Math.max(age, 0) * 1000
  if (now >= theirs - MAX_BEHIND_MS && now <= theirs + MAX_AHEAD_MS) return
  const { host: server } = new URL(url)
  const [ours, others] = [spoken(now), spoken(theirs)]
  const sentence = `This machine's clock says ${ours} and that of the CA at ${server} says ${others}: set this machine's clock (timedatectl shows whether it is synchronised). Nothing is ordered until they agree.`
  throw new AcmeError('clock-wrong', sentence, { server, ours, theirs: others })
}

function spoken(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}
