import { type Finding, worst } from '../../doctor/finding.ts'
import { formatTable } from '../table.ts'

/** Of one kind, from here on, those that are well are counted: a person reads what is not. */
const MAX_WELL = 20

/** A row for each finding, what to do below it, and the verdict at the end. */
export function formatFindings(findings: readonly Finding[], isRunning: boolean): string {
  const rows = shorten(findings).map(({ check, subject, level, seen, advice }) => ({
    cells: [level, check, subject, seen],
    notes: advice === undefined || level === 'ok' ? [] : [advice],
  }))
  const state = isRunning ? 'The program runs.' : 'No program runs with this storage.'
  return `${formatTable(['', 'CHECK', 'OF', 'SEEN'], rows)}\n${state} ${verdictOf(findings)}\n`
}

function shorten(findings: readonly Finding[]): Finding[] {
  const well = Map.groupBy(
    findings.filter(({ level }) => level === 'ok'),
    ({ check }) => check,
  )
  const told = new Set<Finding['check']>()
  return findings.flatMap((finding) => {
    const { check, level } = finding
    const count = well.get(check)?.length ?? 0
    if (level !== 'ok' || count <= MAX_WELL) return [finding]
    if (told.has(check)) return []
    told.add(check)
    return [{ check, subject: `${count} of them`, level, seen: 'well; --json has each' }]
  })
}

function verdictOf(findings: readonly Finding[]): string {
  const count = (level: Finding['level']): number => findings.filter((finding) => finding.level === level).length
  switch (worst(findings)) {
    case 'ok':
      return 'All is well.'
    case 'warn':
      return `Nothing is wrong; ${things(count('warn'))} to look at.`
    case 'fail':
      return `${things(count('fail'))} wrong.`
  }
}

function things(count: number): string {
  return count === 1 ? '1 thing' : `${count} things`
}
