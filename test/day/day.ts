import { setTimeout as wait } from 'node:timers/promises'
import type { LogEntry } from '../fakes/recording-log.ts'
import { Premises } from './premises.ts'
import { faultOf, type Visitor, visit, visitors } from './visitors.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
/** Two hours, from a CA that would like them to be renewed after one; and staples that are good for a quarter of that. */
const LIFETIME = 2 * HOUR
const STAPLE_LIFETIME = LIFETIME / 4
/** Half of it nobody is there, half of it the CA says that it cannot. */
const CA_OUTAGE = 40 * MINUTE
/** The worst time for one is right before a staple is renewed, which has not quite half of its time left then. */
const RESPONDER_OUTAGE = 10 * MINUTE
/** A day whose clients come once an hour shows nothing. */
const MAX_ABSENCE = 3 * MINUTE
/** Of real time, between two visits of one visitor. */
const BREATH_MS = 10

export type Trouble = { readonly at: string; readonly who: string; readonly what: string }

/** What became of a day. */
export type DayFigures = {
  readonly hours: number
  readonly realSeconds: number
  readonly visits: number
  /** Handshakes that came to no end, or whose client would have found fault with what it was shown. */
  readonly troubles: readonly Trouble[]
  /** The longest that one of the visitors was not there, in minutes of the day. */
  readonly longestAbsence: number
  readonly certificates: number
  readonly renewals: number
  readonly staples: number
  /** How often each was said. */
  readonly warnings: Readonly<Record<string, number>>
  readonly errors: Readonly<Record<string, number>>
}

/**
 * Lets the program live through so many hours, while clients of four kinds come and look. A third into the time the CA
 * breaks down with a renewal under way, and after two thirds the responder does.
 */
export async function liveThrough(hours: number, names: readonly string[]): Promise<DayFigures> {
  const begin = performance.now()
  const premises = await Premises.open({ names, lifetimeMs: LIFETIME, stapleLifetimeMs: STAPLE_LIFETIME })
  try {
    const count = names.length * 2
    await premises.untilLogged('staple-received', count)
    const end = premises.clock.now() + hours * HOUR
    const guests = names.flatMap((name) => visitors.map((visitor) => new Guest(premises, name, visitor)))
    premises.isHeldUp = () => guests.some((guest) => guest.isLate)
    const visiting = Promise.all(guests.map((guest) => guest.comeUntil(end)))
    await Promise.all([visiting, breakDown(premises, hours)])
    return {
      hours,
      realSeconds: Math.round((performance.now() - begin) / 1000),
      visits: guests.reduce((sum, { visits }) => sum + visits, 0),
      troubles: guests.flatMap(({ troubles }) => troubles),
      longestAbsence: Math.round(Math.max(...guests.map(({ longestAbsence }) => longestAbsence)) / MINUTE),
      certificates: premises.ca.certificates.all.length,
      renewals: premises.log.of('certificate-renewed').length,
      staples: premises.log.of('staple-renewed').length + premises.log.of('staple-received').length,
      warnings: countEvents(premises.log.entries, 'warn'),
      errors: countEvents(premises.log.entries, 'error'),
    }
  } finally {
    await premises.close()
  }
}

async function breakDown(premises: Premises, hours: number): Promise<void> {
  const { ca, responder } = premises
  await premises.live((hours / 3) * HOUR)
  await untilRenewal(premises)
  ca.stopListening()
  await premises.live(CA_OUTAGE / 2)
  ca.faults.set('every', 'overloaded, with Retry-After')
  await ca.listen()
  await premises.live(CA_OUTAGE / 2)
  ca.faults.lift()
  await premises.live((hours / 3) * HOUR - CA_OUTAGE)
  await untilRenewal(premises)
  await responder.close()
  await premises.live(RESPONDER_OUTAGE)
  await responder.listen()
}

/** A new one has just been ordered. */
function untilRenewal(premises: Premises): Promise<void> {
  return premises.untilLogged('certificate-requested', 1, premises.log.entries.length)
}

/** One of those who come again and again. */
class Guest {
  visits = 0
  longestAbsence = 0
  #lastCame: number | undefined
  readonly troubles: Trouble[] = []
  readonly #premises: Premises
  readonly #name: string
  readonly #visitor: Visitor

  constructor(premises: Premises, name: string, visitor: Visitor) {
    this.#premises = premises
    this.#name = name
    this.#visitor = visitor
  }

  async comeUntil(end: number): Promise<void> {
    const { clock } = this.#premises
    while (clock.now() < end) {
      await this.#come()
      const now = clock.now()
      this.longestAbsence = Math.max(this.longestAbsence, now - (this.#lastCame ?? now))
      this.#lastCame = now
      await wait(BREATH_MS)
    }
    this.#lastCame = undefined
  }

  /** It is on a busy machine, and the day must not pass without it. */
  get isLate(): boolean {
    return this.#lastCame !== undefined && this.#premises.clock.now() - this.#lastCame > MAX_ABSENCE
  }

  async #come(): Promise<void> {
    const { place, responder, clock } = this.#premises
    this.visits++
    try {
      const seen = await visit(place.httpsPort, this.#name, this.#visitor)
      this.#say(faultOf(seen, this.#visitor, this.#name, responder.signer.certificate, clock.now()))
    } catch (error) {
      this.#say(`no handshake: ${error}`)
    }
  }

  #say(what: string | undefined): void {
    if (what === undefined) return
    const { keyKind, version } = this.#visitor
    const at = new Date(this.#premises.clock.now()).toISOString()
    this.troubles.push({ at, who: `${keyKind} ${version} ${this.#name}`, what })
  }
}

function countEvents(entries: readonly LogEntry[], level: LogEntry['level']): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const entry of entries) if (entry.level === level) counts[entry.event] = (counts[entry.event] ?? 0) + 1
  return counts
}
