import { registeredDomain } from '../src/certificates/ledger/registered-domain.ts'
import type { Random } from '../src/system/random.ts'
import { Authority, type AuthorityLimits, LETSENCRYPT_LIMITS } from './authority.ts'
import { Fleet } from './fleet.ts'
import { Tally } from './tally.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const START = Date.parse('2027-01-01T00:00:00Z')

/** What is run: days count from its start. */
export type Scenario = {
  readonly names: number
  readonly days: number
  readonly lifetimeMs: number
  /** The part of the names that the CA can never validate: half of those never had a certificate. */
  readonly hopeless: number
  /** The part of the names that have no certificate at the start. */
  readonly missing: number
  readonly outages: readonly { readonly day: number; readonly days: number }[]
  /** When everything is revoked. */
  readonly revocationDay?: number | undefined
  /** When `castellan certs spread` is called. */
  readonly spreadDay?: number | undefined
  /** The ledger knows no limits before the CA refuses: to see what it is worth. */
  readonly isBlind?: boolean
  readonly asksEach: boolean
  /** Herds are not spread out by themselves: to see what that is worth. */
  readonly keepsHerds?: boolean
  readonly seed: number
}

/** Park and Miller's dice: the same run each time. */
function dice(seed: number): Random {
  let state = seed
  return () => {
    state = (state * 16_807) % 2_147_483_647
    return state / 2_147_483_647
  }
}

/** Most names have a domain of their own; each tenth is one of a hundred below that of a platform. */
export function nameOf(index: number): string {
  return index % 10 === 0 ? `n${index}.platform-${Math.floor(index / 1000)}.net` : `www.n${index}.com`
}

/** A tenth of an order's time is the CA's, the rest is how long it takes to validate: 4 to 12 seconds in all. */
const LEAST_ORDER_MS = 4000
const MOST_ORDER_MS = 12_000

/** Runs a scenario to its end. @param onDay called after each day. */
export async function run(scenario: Scenario, onDay: (day: number, tally: Tally) => void = () => {}): Promise<Tally> {
  const { names, days, lifetimeMs, hopeless, missing, outages, revocationDay, spreadDay, asksEach, seed, isBlind } =
    scenario
  const { keepsHerds = false } = scenario
  const random = dice(seed)
  const tally = new Tally(START)
  const isHopeless = (index: number): boolean => (index * 7919) % 1000 < hopeless * 1000
  const at = (day: number): number => START + day * DAY_MS
  const revocationAt = revocationDay === undefined ? undefined : at(revocationDay)
  const authority = new Authority({
    names,
    lifetimeMs,
    limits: LETSENCRYPT_LIMITS,
    outages: outages.map((outage) => ({ from: at(outage.day), to: at(outage.day + outage.days) })),
    revocationAt,
    isHopeless,
    domainOf: (index) => registeredDomain(nameOf(index)),
  })
  const limits = isBlind === true ? {} : limitsKnown(LETSENCRYPT_LIMITS)
  const orderMs = (): number => LEAST_ORDER_MS + random() * (MOST_ORDER_MS - LEAST_ORDER_MS)
  const behaviour = { asksEach, keepsHerds }
  const fleet = new Fleet({ names, nameOf, authority, lifetimeMs, limits, random, tally, orderMs, ...behaviour }, START)
  for (let index = 0; index < names; index++) {
    const isMissing = random() < missing || (isHopeless(index) && index % 2 === 0)
    if (!isMissing) fleet.hold(index, START - Math.floor((random() * lifetimeMs * 2) / 3))
  }
  fleet.takeUp()
  for (let day = 0; day < days; day++) {
    if (day === spreadDay) fleet.spread()
    if (day === revocationDay) {
      fleet.revokedAt = revocationAt
      fleet.askAnew()
    }
    await fleet.live(at(day + 1))
    tally.withoutADay.push(fleet.countWithout(isHopeless))
    tally.peakMemory = Math.max(tally.peakMemory, process.memoryUsage().rss)
    tally.peakLedger = Math.max(tally.peakLedger, fleet.ledgerSize)
    onDay(day, tally)
  }
  return tally
}

/** The same numbers, as the ledger has them. */
function limitsKnown(limits: AuthorityLimits) {
  const known = ({ count, everyMs }: { count: number; everyMs: number }) => ({ count, periodMs: count * everyMs })
  return {
    orders: known(limits.orders),
    certificates: known(limits.certificates),
    sets: known(limits.sets),
    failures: known(limits.failures),
  }
}
