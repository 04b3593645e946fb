import { type ParkedReport, reportParked } from '../../certificates/parked-report.ts'
import { FileReader } from '../../storage/file-reader.ts'
import { systemClock } from '../../system/clock.ts'
import { formatTable } from '../table.ts'
import type { CertsArguments } from './arguments.ts'
import { printJson } from './json.ts'
import { look } from './looking.ts'
import { dayOf, formatOnDemand, goodUntil, issuerOf, nameOf, nextOf, remarksOn } from './words.ts'

/** `castellan certs list`: a row for each certificate. */
export async function list({ config, json }: CertsArguments): Promise<number> {
  const { isRunning, reports, onDemand, storageFolder } = await look(config)
  const parked = await reportParked(new FileReader(storageFolder))
  if (json) printJson({ running: isRunning, certificates: reports, onDemand, parked })
  else
    process.stdout.write(
      `${formatList(reports, systemClock.now())}${formatOnDemand(onDemand)}${formatParked(parked, systemClock.now())}`,
    )
  return 0
}

export function formatList(reports: Awaited<ReturnType<typeof look>>['reports'], now: number): string {
  const rows = reports.map((report) => ({
    cells: [nameOf(report), report.keyKind ?? '-', issuerOf(report), goodUntil(report, now), nextOf(report, now)],
    notes: remarksOn(report),
  }))
  return formatTable(['NAME', 'KEY', 'ISSUER', 'GOOD UNTIL', 'NEXT STEP'], rows)
}

/** What no site asks for any more, in a table of its own; empty where there is no such thing. */
export function formatParked(parked: readonly ParkedReport[], now: number): string {
  if (parked.length === 0) return ''
  const rows = parked.map(({ id, names, keyKind, notAfter, keptUntil }) => {
    const name = names.length > 1 ? `${names[0]} +${names.length - 1}` : (names[0] ?? id)
    const end = notAfter === undefined ? 'damaged' : dayOf(notAfter, now)
    return { cells: [name, keyKind ?? '-', end, dayOf(keptUntil, now)] }
  })
  return `\n${formatTable(['PARKED', 'KEY', 'GOOD UNTIL', 'ARCHIVED AT'], rows)}`
}
