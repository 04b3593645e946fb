import { spokenDuration } from '../../certificates/spoken-time.ts'
import type { Fate, Outage } from '../../drill/outage.ts'
import { minuteOf } from '../certs/words.ts'
import { formatTable } from '../table.ts'

/** Whether its clients notice nothing. */
export function isWell({ without }: Fate): boolean {
  return without === undefined
}

/** A row for each certificate, what ends first on top, and what it comes to. */
export function formatDrill(fates: readonly Fate[], outage: Outage, ownSites: number): string {
  const rows = fates.toSorted(byWorst).map((fate) => {
    const { names, keyKind } = fate.wanted
    const name = names.length > 1 ? `${names[0]} +${names.length - 1}` : names[0]!
    const goodUntil = fate.goodUntil === undefined ? 'nothing yet' : minuteOf(fate.goodUntil)
    return { cells: [name, keyKind, goodUntil, fateOf(fate, outage)] }
  })
  const period = `No CA answers from now up to ${minuteOf(outage.to)} (${spokenDuration(outage.to - outage.from)}).`
  return `${formatTable(['NAME', 'KEY', 'GOOD UNTIL', 'WHAT BECOMES OF IT'], rows)}\n${[period, ...summary(fates, outage, ownSites)].join('\n')}\n`
}

function byWorst(a: Fate, b: Fate): number {
  const [one, other] = [a.without?.from ?? Number.POSITIVE_INFINITY, b.without?.from ?? Number.POSITIVE_INFINITY]
  return one === other ? (a.goodUntil ?? 0) - (b.goodUntil ?? 0) : one - other
}

function fateOf({ goodUntil, failures, renewedAt, without, unstapled }: Fate, { from, to }: Outage): string {
  const tries = failures === 1 ? '1 order fails' : `${failures} orders fail`
  if (without !== undefined && without.from === unstapled?.from) {
    const since = without.from === from ? 'now' : minuteOf(without.from)
    const lack = without.from === from ? 'it has no staple' : 'its staple ends then'
    const length = spokenDuration(without.to - without.from)
    return `is refused from ${since} on, as ${lack} (must-staple), up to ${minuteOf(without.to)}: ${length} without; ${tries}`
  }
  if (without !== undefined) {
    const what =
      goodUntil === undefined
        ? 'has none'
        : without.from === from
          ? 'has expired'
          : `expires at ${minuteOf(without.from)}`
    return `${what}, and a new one comes at ${minuteOf(without.to)}: ${spokenDuration(without.to - without.from)} without; ${tries}`
  }
  if (renewedAt === undefined) return 'is not due until it is over'
  if (renewedAt < to) return `renewed at ${minuteOf(renewedAt)} by a CA that is up`
  return `serves on, and is renewed at ${minuteOf(renewedAt)}; ${tries}`
}

function summary(fates: readonly Fate[], { from }: Outage, ownSites: number): string[] {
  const hurt = fates.filter((fate) => !isWell(fate))
  // What a CA that is up would give at once is not missed.
  const bare = hurt.filter(({ without }) => without!.from === from)
  const own =
    ownSites === 0
      ? []
      : [`Left out: ${ownSites === 1 ? '1 site brings its' : `${ownSites} sites bring their`} own certificates.`]
  const verdict =
    hurt.length === 0
      ? `None of ${fates.length} certificates is missed.`
      : `${hurt.length} of ${fates.length} certificates ${hurt.length === 1 ? 'is' : 'are'} missed, the first at ${minuteOf(Math.min(...hurt.map(({ without }) => without!.from)))}.`
  const start =
    bare.length === 0
      ? 'Started anew without its CA, this installation serves all of its names from the storage.'
      : `Started anew without its CA, this installation has nothing good for ${bare.length} of ${fates.length} certificates.`
  return [verdict, start, ...own]
}
