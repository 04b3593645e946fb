import { escapeControls } from '../telemetry/line-log.ts'

export type Row = {
  readonly cells: readonly string[]
  /** Sentences that belong to it, below it. */
  readonly notes?: readonly string[]
}

/** What fits a terminal. */
const WIDTH = 100
const GAP = '  '
const NOTE_INDENT = '    '
/** Below this a column of text is harder to read than a line that is too long. */
const LEAST_WIDTH = 24

/**
 * A table for people: columns as wide as what is in them, text in the last one broken to fit 100 columns, nothing cut off,
 * and nothing that gives orders to a terminal.
 */
export function formatTable(head: readonly string[], rows: readonly Row[]): string {
  const cells = [head, ...rows.map((row) => row.cells)].map((row) => row.map(escapeControls))
  const widths = head.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)))
  const notes = [[], ...rows.map((row) => row.notes ?? [])]
  return cells.map((row, index) => formatRow(row, widths) + notes[index]!.map(formatNote).join('')).join('')
}

/** `name  value` lines, values under each other. */
export function formatFacts(facts: readonly (readonly [name: string, value: string])[]): string {
  const width = Math.max(...facts.map(([name]) => name.length))
  return facts.map(([name, value]) => formatRow([name, escapeControls(value)], [width, 0])).join('')
}

function formatRow(cells: readonly string[], widths: readonly number[]): string {
  const last = cells.length - 1
  const start = cells.slice(0, last).map((cell, column) => cell.padEnd(widths[column]!) + GAP)
  const indent = start.join('').length
  const [first = '', ...more] = wrap(cells[last] ?? '', Math.max(WIDTH - indent, LEAST_WIDTH))
  const lines = [`${start.join('')}${first}`, ...more.map((line) => ' '.repeat(indent) + line)]
  return lines.map((line) => `${line.trimEnd()}\n`).join('')
}

function formatNote(note: string): string {
  return wrap(escapeControls(note), WIDTH - NOTE_INDENT.length)
    .map((line) => `${NOTE_INDENT}${line}\n`)
    .join('')
}

/** Lines of whole words; a word that is longer than a line has one of its own. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`
    if (longer.length <= width || line === '') line = longer
    else {
      lines.push(line)
      line = word
    }
  }
  return [...lines, line]
}
