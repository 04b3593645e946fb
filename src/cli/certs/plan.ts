import type { CertificateReport } from '../../certificates/report.ts'
import { systemClock } from '../../system/clock.ts'
import { formatTable } from '../table.ts'
import type { CertsArguments } from './arguments.ts'
import { printJson } from './json.ts'
import { look } from './looking.ts'
import { formatOnDemand, minuteOf, nameOf, pauseOf, stepOf, stepTime } from './words.ts'

/** `castellan certs plan`: what is done next, the first thing first. */
export async function plan({ config, json }: CertsArguments): Promise<number> {
  const { isRunning, reports, onDemand } = await look(config)
  if (json) printJson({ running: isRunning, plan: inOrder(reports).map(planned), onDemand })
  else process.stdout.write(`${formatPlan(reports, systemClock.now())}${formatOnDemand(onDemand)}`)
  return 0
}

export function formatPlan(reports: readonly CertificateReport[], now: number): string {
  const rows = inOrder(reports).map((report) => ({
    cells: [nameOf(report), report.keyKind ?? '-', stepOf(report), timeOf(report, now), becauseOf(report)],
    notes: pauseOf(report),
  }))
  return formatTable(['NAME', 'KEY', 'NEXT STEP', 'AT', 'BECAUSE'], rows)
}

function planned({ id, site, names, keyKind, step, orderedSince, outage }: CertificateReport) {
  return { id, site, names, keyKind, step, orderedSince, outage }
}

function inOrder(reports: readonly CertificateReport[]): CertificateReport[] {
  // Infinity less Infinity is no number, and two of them need no order.
  return reports.toSorted((a, b) => stepTime(a) - stepTime(b) || 0)
}

function timeOf(report: CertificateReport, now: number): string {
  if (report.step.type === 'watch') return 'on change'
  if (report.step.type === 'paused') return 'once unpaused'
  const at = stepTime(report)
  return report.orderedSince === undefined && at <= now ? 'now' : minuteOf(at)
}

function becauseOf({ step }: CertificateReport): string {
  return step.type === 'watch' ? `${step.certificate} is your own` : step.because
}
