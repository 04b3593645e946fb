import { countedAs } from '../certificates/ledger/limits.ts'
import type { Balance } from '../certificates/ledger/order-facts.ts'
import { spokenTime } from '../certificates/spoken-time.ts'
import type { Finding } from './finding.ts'

/** What the rate limits of the CAs leave: a warning for each that is used up, as orders wait for it. */
export function examineLimits(balances: readonly Balance[]): Finding[] {
  const spent = balances.filter(({ left }) => left <= 0)
  if (spent.length === 0) {
    const seen = balances.length === 0 ? 'nothing was spent' : `${balances.length} counted, something is left of each`
    return [{ check: 'limits', subject: 'all CAs', level: 'ok', seen }]
  }
  return spent.map(({ authority, kind, subject, moreAt }) => {
    const until = moreAt === undefined ? '' : ` until ${spokenTime(moreAt)}`
    const seen = `no more ${countedAs[kind](subject)}${until}`
    const advice = 'What is due waits for it by itself; "castellan limits" has all of them.'
    return { check: 'limits', subject: new URL(authority).host, level: 'warn', seen, advice }
  })
}
