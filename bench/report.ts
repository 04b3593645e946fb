import { median, type ScenarioFigures, valuesOf } from './figures.ts'
import type { Machine } from './machine.ts'
import { formatTable, notesOn } from './table.ts'

/** The one that everybody knows: the ratios in the table are to it. */
export const REFERENCE = 'nginx'

export type PeerFacts = {
  readonly name: string
  /** undefined if it is absent. */
  readonly version: string | undefined
  /** Why it is absent, and what to install. */
  readonly missing: string | undefined
  /** Protocol and cipher suite that it agrees on with a client of today; undefined if it has not been asked. */
  readonly tls: string | undefined
}

export type Report = {
  /** ISO 8601. */
  readonly date: string
  readonly machine: Machine
  readonly rounds: number
  readonly seconds: number
  /** What answers behind the proxies. */
  readonly origin: string
  readonly peers: readonly PeerFacts[]
  readonly figures: readonly ScenarioFigures[]
}

/** Everything that a reader needs to judge the figures, and the figures. */
export function formatReport(report: Report): string {
  const { machine, peers, figures, rounds, seconds, origin, date } = report
  const notes = notesOn(figures)
  const sections = [
    `${machine.cores} cores, ${machine.cpu}, ${machine.memoryGiB} GiB, ${machine.system}, Linux ${machine.kernel}, load ${machine.load}, ${date}`,
    `medians of up to ${rounds} rounds in turns, ${seconds} s a load, one worker each, origin: ${origin}`,
    peers.map(formatPeer).join('\n'),
    formatTable(figures, { peers: peers.map(({ name }) => name), reference: REFERENCE }),
    notes.join('\n'),
  ]
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`
}

function formatPeer({ name, version, missing, tls }: PeerFacts): string {
  if (missing !== undefined) return `${name}: absent (${missing})`
  return `${name}: ${version}${tls === undefined ? '' : `, ${tls}`}`
}

/** The same for programs: with every round. */
export function reportToJson(report: Report): string {
  const scenarios = report.figures.map(({ scenario, metrics, outcomes }) => ({
    name: scenario,
    metrics: metrics.map((metric) => ({
      ...metric,
      peers: Object.fromEntries(
        [...outcomes].map(([peer, outcome]) => {
          if (outcome.type !== 'measured') return [peer, outcome]
          const rounds = valuesOf(outcome.readings, metric)
          return [peer, { type: outcome.type, median: median(rounds), rounds }]
        }),
      ),
    })),
  }))
  const { figures: _, ...facts } = report
  return `${JSON.stringify({ ...facts, reference: REFERENCE, scenarios }, null, 2)}\n`
}
