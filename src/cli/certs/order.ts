import { askProgram } from '../../admin/client.ts'
import type { ControlReply, ControlRequest } from '../../admin/protocol.ts'
import { countedAs } from '../../certificates/ledger/limits.ts'
import type { Balance } from '../../certificates/ledger/order-facts.ts'
import type { Outcome } from '../../certificates/wish.ts'
import { loadConfig } from '../../config/load.ts'
import { asSentence } from '../../errors.ts'
import { systemClock } from '../../system/clock.ts'
import { escapeControls } from '../../telemetry/line-log.ts'
import type { CertsArguments } from './arguments.ts'
import { printJson } from './json.ts'
import { noneRuns } from './looking.ts'
import { minuteOf } from './words.ts'

type OutcomeReply = Extract<ControlReply, { type: 'outcome' }>

/** `castellan certs retry NAME | --all`: tries at once what waits after a failure, and says what has come of it. */
export function retry({ config, json, name, all }: CertsArguments): Promise<number> {
  return order(config, json, { ask: 'retry', name: all ? undefined : name })
}

/** `castellan certs renew NAME`: orders anew, due or not, and says what has come of it. */
export function renew({ config, json, name }: CertsArguments): Promise<number> {
  return order(config, json, { ask: 'renew', name })
}

/** `castellan certs revoke NAME`: has the CA take back what it gave, and says what has come in its place. */
export function revoke({ config, json, name, reason }: CertsArguments): Promise<number> {
  return order(config, json, { ask: 'revoke', name, reason })
}

/** People are told each outcome when it comes. Who leaves before that leaves the program at it. */
async function order(configFile: string, json: boolean, request: ControlRequest): Promise<number> {
  const { config } = await loadConfig({ file: configFile, env: process.env })
  const replies = await askProgram(config.storage.folder, request, systemClock)
  if (replies === undefined) {
    const advice = 'so there is none to do it; "castellan run" does by itself what is due'
    process.stderr.write(`castellan: ${noneRuns(config.storage.folder)}, ${advice}.\n`)
    return 1
  }
  return tellOutcomes(replies, json, request.ask)
}

/** Tells what has come of what was asked, and gives the exit code for it. */
export async function tellOutcomes(
  replies: AsyncIterable<ControlReply>,
  json: boolean,
  ask: ControlRequest['ask'],
): Promise<number> {
  const outcomes: OutcomeReply[] = []
  for await (const reply of replies) {
    if (reply.type === 'begun' && ask !== 'import' && !json) process.stdout.write(begun(reply.count))
    if (reply.type !== 'outcome') continue
    outcomes.push(reply)
    if (!json)
      process.stdout.write(`${escapeControls(`${formatOutcome(reply, ask)}${formatLeft(reply.certificate.left)}`)}\n`)
  }
  if (json) printJson({ outcomes: outcomes.map(({ certificate, outcome }) => ({ ...certificate, ...outcome })) })
  return outcomes.every(({ outcome }) => isWell(outcome)) ? 0 : 1
}

function begun(count: number): string {
  if (count === 0) return 'Nothing waits to be tried again.\n'
  return `Asked for ${count === 1 ? 'a certificate' : `${count} certificates`}; a CA may take some minutes.\n`
}

function isWell({ status }: Outcome): boolean {
  return status === 'obtained' || status === 'not-due'
}

/** What the limits left before this try, where that is not all. */
export function formatLeft(left: readonly Balance[]): string {
  const spent = left.filter((balance) => balance.limit === undefined || balance.left < balance.limit.count)
  if (spent.length === 0) return ''
  const words = spent.map(
    (balance) =>
      `${balance.left}${balance.limit === undefined ? '' : ` of ${balance.limit.count}`} ${countedAs[balance.kind](balance.subject)}`,
  )
  return ` Before it, the CA's rate limits left ${words.join(', ')}.`
}

function nextTry(nextAt: number | undefined): string {
  return nextAt === undefined ? 'It is not tried again by itself.' : `The next try is at ${minuteOf(nextAt)}.`
}

export function formatOutcome(
  { certificate: { names, keyKind }, outcome }: OutcomeReply,
  ask: ControlRequest['ask'] = 'renew',
): string {
  const kind = keyKind === undefined ? '' : ` (${keyKind})`
  const isRevoked = ask === 'revoke' && outcome.status !== 'not-revoked' && outcome.status !== 'own-files'
  const what = `${names[0]}${kind}${isRevoked ? ' is revoked' : ''}`
  switch (outcome.status) {
    case 'obtained':
      if (ask === 'import')
        return `${what}: taken over, good until ${minuteOf(outcome.notAfter)}, to be renewed by ${outcome.issuer}.`
      return `${what}: got one from ${outcome.issuer}, good until ${minuteOf(outcome.notAfter)}.`
    case 'failed':
      return `${what}: failed. ${asSentence(outcome.reason)} ${nextTry(outcome.nextAt)}`
    case 'not-due':
      return `${what}: nothing to try again, it is to be renewed at ${minuteOf(outcome.renewAt)}: ${outcome.because}.`
    case 'limited':
      return `${what}: not asked for now, it ${outcome.because}.`
    case 'own-files':
      return `${what}: you bring this one yourself, so that it is not ordered. Put a new one into its files.`
    case 'not-revoked':
      return `${what}: not revoked. ${asSentence(outcome.reason)}`
    case 'stopped':
      return `${what}: the program was stopped before that had ended.`
    default:
      return outcome satisfies never
  }
}
