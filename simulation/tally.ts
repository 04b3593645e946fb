const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS

/** What was seen of a run. */
export class Tally {
  readonly start: number
  /** By day. */
  readonly ordersADay: number[] = []
  readonly failuresADay: number[] = []
  /** Names that were without a good certificate at the end of each day, hopeless ones aside. */
  readonly withoutADay: number[] = []
  /** Certificates that were replaced after a mass revocation, by hours since. */
  readonly replacedByHour: number[] = []
  /** By day: the most orders in one minute of it. */
  readonly minuteADay: number[] = []
  issued = 0
  failed = 0
  /** Orders that met an outage of the CA, which is no failure. */
  putOff = 0
  refused = 0
  /** Certificates that expired although their names could have been validated. */
  expired = 0
  questions = 0
  peakMemory = 0
  peakLedger = 0
  #minute = 0
  #inMinute = 0

  constructor(start: number) {
    this.start = start
  }

  ordered(now: number): void {
    count(this.ordersADay, this.dayOf(now))
    const minute = Math.floor(now / MINUTE_MS)
    if (minute !== this.#minute) {
      this.#minute = minute
      this.#inMinute = 0
    }
    this.#inMinute++
    const day = this.dayOf(now)
    for (let next = this.minuteADay.length; next <= day; next++) this.minuteADay.push(0)
    this.minuteADay[day] = Math.max(this.minuteADay[day]!, this.#inMinute)
  }

  failedAt(now: number): void {
    this.failed++
    count(this.failuresADay, this.dayOf(now))
  }

  replaced(hours: number): void {
    count(this.replacedByHour, Math.floor(hours))
  }

  dayOf(now: number): number {
    return Math.floor((now - this.start) / DAY_MS)
  }
}

function count(counts: number[], index: number): void {
  for (let next = counts.length; next <= index; next++) counts.push(0)
  counts[index]!++
}

/** After how many hours so large a part of all had happened. */
export function hoursUntil(byHour: readonly number[], part: number): number | undefined {
  const all = byHour.reduce((sum, each) => sum + each, 0)
  let sum = 0
  for (const [hour, each] of byHour.entries()) {
    sum += each
    if (all > 0 && sum >= all * part) return hour + 1
  }
  return undefined
}
