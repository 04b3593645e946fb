import { systemClock } from '../../system/clock.ts'
import { formatTable } from '../table.ts'
import type { CertsArguments } from './arguments.ts'
import { printJson } from './json.ts'
import { look } from './looking.ts'
import { formatOnDemand, goodUntil, issuerOf, nameOf, nextOf, remarksOn } from './words.ts'

/** `castellan certs list`: a row for each certificate. */
export async function list({ config, json }: CertsArguments): Promise<number> {
  const { isRunning, reports, onDemand } = await look(config)
  if (json) printJson({ running: isRunning, certificates: reports, onDemand })
  else process.stdout.write(`${formatList(reports, systemClock.now())}${formatOnDemand(onDemand)}`)
  return 0
}

export function formatList(reports: Awaited<ReturnType<typeof look>>['reports'], now: number): string {
  const rows = reports.map((report) => ({
    cells: [nameOf(report), report.keyKind ?? '-', issuerOf(report), goodUntil(report, now), nextOf(report, now)],
    notes: remarksOn(report),
  }))
  return formatTable(['NAME', 'KEY', 'ISSUER', 'GOOD UNTIL', 'NEXT STEP'], rows)
}
