import { type Metric, median, type Outcome, type ScenarioFigures, spread, valuesOf } from './figures.ts'

/** Rounds that lie further apart than this share of their median are marked: something else was busy. */
const SPREAD_LIMIT = 0.2

export type TableOptions = {
  readonly peers: readonly string[]
  /** Whom the others are compared with, if it is among the peers. */
  readonly reference: string
}

/** A Markdown table, aligned for a terminal: a row for each metric, a column for each peer. */
export function formatTable(figures: readonly ScenarioFigures[], { peers, reference }: TableOptions): string {
  const rows = figures.flatMap(({ metrics, outcomes }) =>
    metrics.map((metric) => {
      const base = middle(outcomes.get(reference), metric)
      const cells = peers.map((peer) => formatCell(outcomes.get(peer), metric, peer === reference ? undefined : base))
      return [metric.title, metric.unit, ...cells]
    }),
  )
  return alignColumns([['scenario', 'unit', ...peers], ...rows])
}

/** What the cells without a figure, or with a doubtful one, are about: a sentence each. */
export function notesOn(figures: readonly ScenarioFigures[]): string[] {
  const notes = figures.flatMap(({ scenario, outcomes }) =>
    [...outcomes].flatMap(([peer, outcome]) =>
      outcome.type === 'unable' || outcome.type === 'failed' ? [`${scenario}, ${peer}: ${outcome.reason}`] : [],
    ),
  )
  const isDoubtful = figures.some(({ metrics, outcomes }) =>
    metrics.some((metric) => [...outcomes.values()].some((outcome) => isWide(outcome, metric))),
  )
  if (isDoubtful)
    notes.push(`~ its rounds lie more than ${SPREAD_LIMIT * 100} % apart: measure again on a quiet machine`)
  return notes
}

function formatCell(outcome: Outcome | undefined, metric: Metric, base: number | undefined): string {
  if (outcome === undefined) return ''
  if (outcome.type !== 'measured') return outcome.type === 'unable' ? '–' : outcome.type
  const value = median(valuesOf(outcome.readings, metric))
  const ratio = base === undefined || base <= 0 ? '' : ` (${(value / base).toFixed(2)}×)`
  return `${isWide(outcome, metric) ? '~' : ''}${formatNumber(value)}${ratio}`
}

function isWide(outcome: Outcome, metric: Metric): boolean {
  return outcome.type === 'measured' && spread(valuesOf(outcome.readings, metric)) > SPREAD_LIMIT
}

function middle(outcome: Outcome | undefined, metric: Metric): number | undefined {
  return outcome?.type === 'measured' ? median(valuesOf(outcome.readings, metric)) : undefined
}

/** Three significant digits, as far as they stand behind the point. */
export function formatNumber(value: number): string {
  const size = Math.abs(value)
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2)
}

function alignColumns(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(3, ...rows.map((row) => row[column]!.length)))
  const isText = (column: number): boolean => column < 2
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => (isText(column) ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!))).join(' | ')} |`
  const rule = widths.map((width, column) => (isText(column) ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`))
  return [line(rows[0]!), line(rule), ...rows.slice(1).map(line)].join('\n')
}
