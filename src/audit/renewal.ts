import { countedAs } from '../certificates/ledger/limits.ts'
import type { CertificateReport } from '../certificates/report.ts'
import { spokenDuration, spokenTime } from '../certificates/spoken-time.ts'
import type { AuditFacts } from './facts.ts'
import { counted, fail, noneOf, notApplicable, pass, type Recommendation } from './recommendation.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
const SHORT_LIFETIME_MS = 10 * DAY_MS
/** Of what should be left at least, for a try that failed or waits in a queue. */
const GRACE = 1 / 10
/** Fewer renew together by chance. */
const FEW = 10
/** Of all renewals, what may fall into one minute. */
const MOST_AT_ONCE = 1 / 10
/** The guide's ladder, after so many failures; CAs that ask to be left alone for longer are obeyed. */
const LADDER_MS = [MINUTE_MS, 10 * MINUTE_MS, 100 * MINUTE_MS, DAY_MS]
const JITTER = 0.15

type Held = CertificateReport & { readonly held: NonNullable<CertificateReport['held']> }

/** Those that Castellan has ordered and would renew. */
function issued({ certificates }: AuditFacts): Held[] {
  return certificates.map(({ report }) => report).filter((report): report is Held => report.held?.from !== undefined)
}

/** What the guide asks of renewals and of what fails. */
export const renewalRecommendations: readonly Recommendation[] = [
  {
    id: 'renewed-in-time',
    text: 'Renewed with a third of the lifetime left, or half if that is under ten days.',
    judge: (facts) => {
      const all = issued(facts)
      if (all.length === 0) return notApplicable('there is no certificate yet')
      const late = all.filter(({ held: { notBefore, notAfter } }) => {
        const lifetime = notAfter - notBefore
        const least = (lifetime < SHORT_LIFETIME_MS ? 1 / 2 : 1 / 3) - GRACE
        return notAfter - facts.now < lifetime * least
      })
      const shortest = Math.min(...all.map(({ held }) => held.notAfter))
      return noneOf(
        late.map(({ id }) => id),
        'less is left',
        `the first ends in ${spokenDuration(shortest - facts.now)}`,
      )
    },
  },
  {
    id: 'ari',
    text: 'Where the CA suggests when to renew (RFC 9773), it is asked twice a day.',
    judge: ({ certificates, now, isRunning }) => {
      const asked = certificates.filter(({ renewalInfoAskAt }) => renewalInfoAskAt !== undefined)
      if (asked.length === 0) return notApplicable('no CA has suggested anything')
      if (!isRunning) return notApplicable('no program runs that could ask')
      const overdue = asked.filter(
        ({ renewalInfoAskAt }) => renewalInfoAskAt! < now - HOUR_MS || renewalInfoAskAt! > now + DAY_MS,
      )
      const next = Math.min(...asked.map(({ renewalInfoAskAt }) => renewalInfoAskAt!))
      return noneOf(
        overdue.map(({ report }) => report.id),
        'not asked in time',
        `${counted(asked.length, 'certificate')}; the next question is at ${spokenTime(next)}`,
      )
    },
  },
  {
    id: 'spread',
    text: 'Renewals are spread over time: many do not fall into one minute.',
    judge: (facts) => {
      const times = issued(facts).flatMap(({ step }) =>
        step.type === 'keep' ? [Math.floor(step.renewAt / MINUTE_MS)] : [],
      )
      if (times.length < FEW) return notApplicable(`${counted(times.length, 'renewal')} ahead`)
      const most = Math.max(...[...Map.groupBy(times, (minute) => minute).values()].map((group) => group.length))
      const evidence = `${most} of ${times.length} renewals in the fullest minute`
      return most > Math.max(2, times.length * MOST_AT_ONCE) ? fail(evidence) : pass(evidence)
    },
  },
  {
    id: 'rate-limits',
    text: 'What a CA allows is counted ahead of its refusal, and not used up.',
    judge: ({ balances }) => {
      if (balances.length === 0) return notApplicable('nothing was spent of any rate limit')
      const spent = balances.filter(({ left }) => left <= 0)
      const subjects = spent.map(({ kind, subject }) => countedAs[kind](subject))
      return noneOf(subjects, 'none left', `${counted(balances.length, 'limit')}, something is left of each`)
    },
  },
  {
    id: 'retries',
    text: 'What fails is tried again after 1, 10 and 100 minutes and then daily, also over restarts.',
    judge: ({ certificates }) => {
      const failing = certificates.map(({ report }) => report).filter(({ attempts }) => (attempts?.failures ?? 0) > 0)
      if (failing.length === 0) return notApplicable('nothing has failed')
      const hasty = failing.filter(({ attempts }) => {
        const { failures, lastAt, nextAt } = attempts!
        return nextAt - lastAt < LADDER_MS[Math.min(failures, LADDER_MS.length) - 1]! * (1 - JITTER)
      })
      const next = Math.min(...failing.map(({ attempts }) => attempts!.nextAt))
      return noneOf(
        hasty.map(({ id }) => id),
        'tried sooner',
        `${counted(failing.length, 'certificate')} waiting, the next try at ${spokenTime(next)}`,
      )
    },
  },
  {
    id: 'early-retry',
    text: 'An administrator can have one name, or all, tried again at once.',
    judge: ({ isRunning }) =>
      isRunning
        ? pass('the program answers: castellan certs retry NAME | --all')
        : notApplicable('no program runs with this storage'),
  },
]
