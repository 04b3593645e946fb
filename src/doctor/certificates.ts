import type { CertificateReport } from '../certificates/report.ts'
import { spokenDuration, spokenTime } from '../certificates/spoken-time.ts'
import type { Finding } from './finding.ts'

/** Of its lifetime: with less left, whatever renews it has failed for long. */
const LITTLE_LEFT = 1 / 6

/** How it stands with one certificate that should exist. */
export function examineCertificate(report: CertificateReport, now: number): Finding {
  const { names, keyKind, held, fault, attempts, standIns, orderedSince } = report
  const subject = `${names[0]}${names.length > 1 ? ` +${names.length - 1}` : ''}${keyKind === undefined ? '' : ` (${keyKind})`}`
  const finding = { check: 'certificate', subject } as const
  if (fault !== undefined) return { ...finding, level: 'fail', seen: fault, advice: 'The next start orders a new one.' }
  const tries = attempts === undefined || attempts.reason === '' ? '' : `; the last try: ${attempts.reason}`
  if (held === undefined) {
    const level = orderedSince === undefined && attempts !== undefined && standIns.length === 0 ? 'fail' : 'warn'
    return { ...finding, level, seen: `none yet${tries}`, advice: adviceFor(report) }
  }
  const { notBefore, notAfter } = held
  const until = `until ${spokenTime(notAfter)}`
  if (notAfter <= now)
    return { ...finding, level: 'fail', seen: `expired ${until.slice(6)}${tries}`, advice: adviceFor(report) }
  const seen = `good ${until} (${spokenDuration(notAfter - now)})${tries}`
  if (notAfter - now < (notAfter - notBefore) * LITTLE_LEFT)
    return { ...finding, level: 'fail', seen: `ends soon, ${seen}`, advice: adviceFor(report) }
  return attempts === undefined
    ? { ...finding, level: 'ok', seen }
    : { ...finding, level: 'warn', seen, advice: adviceFor(report) }
}

function adviceFor({ names, step, attempts }: CertificateReport): string {
  if (step.type === 'watch') return 'Put a new one into its files.'
  if (attempts === undefined) return 'The program that runs orders it by itself.'
  return `Put right what the CA says, then: castellan certs retry ${names[0]}`
}
