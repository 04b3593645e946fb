import type { CertificateReport, HeldReport } from '../../certificates/report.ts'
import { spokenTime } from '../../certificates/spoken-time.ts'
import { recallHsts } from '../../hsts/keeper.ts'
import { describeHsts } from '../../hsts/ramp.ts'
import { FileReader } from '../../storage/file-reader.ts'
import { systemClock } from '../../system/clock.ts'
import { formatFacts } from '../table.ts'
import type { CertsArguments } from './arguments.ts'
import { printJson } from './json.ts'
import { look, type Sight } from './looking.ts'
import { leftOf, remarksOn, stepOf, stepTime } from './words.ts'

/** `castellan certs show NAME`: all that is known of the certificates for a name, of each kind of key. */
export async function show({ config, json, name }: CertsArguments): Promise<number> {
  const { isRunning, reports, ...sight } = await look(config, name)
  const now = systemClock.now()
  const hsts = await hstsOf(sight, now)
  const certificates = reports.map((report) => ({ ...report, hsts: hsts(report.site) }))
  if (json) printJson({ running: isRunning, certificates })
  else process.stdout.write(certificates.map((each) => formatWhole(each, now, each.hsts)).join('\n'))
  return 0
}

type Fact = readonly [name: string, value: string]

/** How it stands with the HSTS of a site, in words: what the program that runs has written down. */
async function hstsOf({ config, storageFolder }: Pick<Sight, 'config' | 'storageFolder'>, now: number) {
  const memories = await recallHsts(new FileReader(storageFolder))
  return (name: string): string | undefined => {
    const policy = config.sites.find((site) => site.name === name)?.hsts
    return policy && describeHsts(policy, memories?.get(name), now)
  }
}

export function formatWhole(report: CertificateReport, now: number, hsts?: string): string {
  const { id, site, names, keyKind, issuers, held } = report
  return formatFacts([
    ['certificate', id],
    ['site', site],
    ['names', names.join(', ')],
    ['key', keyKind ?? 'of a kind that Castellan does not make'],
    ...(issuers.length === 0 ? [] : [['to be issued by', issuers.join(', else ')] as const]),
    ...(held === undefined ? [['good until', 'none yet'] as const] : heldFacts(held, now)),
    ...nextFacts(report, now),
    ...suggestionFacts(report),
    ...(hsts === undefined ? [] : [['HSTS', hsts] as const]),
    ...remarksOn(report).map((remark) => ['note', remark] as const),
  ])
}

function heldFacts(held: HeldReport, now: number): Fact[] {
  const { from, names, subject, issuer, serial, fingerprint, notBefore, chain } = held
  return [
    ['covers', names.join(', ')],
    ...(subject === '' ? [] : [['subject', subject] as const]),
    ['signed by', issuer],
    ['serial', serial],
    ['SHA-256', fingerprint],
    ['good from', spokenTime(notBefore)],
    ['good until', `${spokenTime(held.notAfter)} (${leftOf(held, now)})`],
    ...(from === undefined ? [] : originFacts(from)),
    ...(chain ?? []).map(
      (link, index): Fact => [
        index === 0 ? 'chain' : '',
        `${link.subject}, signed by ${link.issuer}, good until ${spokenTime(link.notAfter)}, SHA-256 ${link.fingerprint}`,
      ],
    ),
  ]
}

function originFacts({ issuer, authority, obtainedAt }: NonNullable<HeldReport['from']>): Fact[] {
  const directory = authority === issuer ? '' : ` (${authority})`
  return [['obtained', `at ${spokenTime(obtainedAt)} from ${issuer}${directory}`]]
}

function nextFacts(report: CertificateReport, now: number): Fact[] {
  const { step, orderedSince, attempts } = report
  if (step.type === 'watch') return [['next step', `reread when ${step.certificate} or ${step.key} changes`]]
  if (orderedSince !== undefined)
    return [['next step', `being ordered since ${spokenTime(orderedSince)}: ${step.because}`]]
  if (step.type === 'paused') return [['next step', `none: ${step.because}`]]
  const at = stepTime(report)
  const next: Fact = ['next step', `${stepOf(report)} ${at <= now ? 'now' : `at ${spokenTime(at)}`}: ${step.because}`]
  return attempts === undefined || attempts.nextAt <= now
    ? [next]
    : [next, ['no try before', spokenTime(attempts.nextAt)]]
}

function suggestionFacts({ suggestion }: CertificateReport): Fact[] {
  if (suggestion?.window === undefined) return []
  const { window, renewAt, explanationUrl } = suggestion
  const drawn = renewAt === undefined ? '' : `; ${spokenTime(renewAt)} was drawn`
  const why = explanationUrl === undefined ? '' : `; why: ${explanationUrl}`
  return [['CA suggests', `to renew between ${spokenTime(window.start)} and ${spokenTime(window.end)}${drawn}${why}`]]
}
