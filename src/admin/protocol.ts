import { isIP } from 'node:net'
import { isAbsolute } from 'node:path'
import { type RevocationReason, revocationReasons } from '../acme/revocation.ts'
import type { Balance } from '../certificates/ledger/order-facts.ts'
import type { OnDemandCounts } from '../certificates/on-demand/at-rest.ts'
import type { CertificateReport } from '../certificates/report.ts'
import type { Spread } from '../certificates/spread-renewals.ts'
import type { Asked, Outcome } from '../certificates/wish.ts'
import { CastellanError } from '../errors.ts'
import { type AccountAction, accountActions } from '../issuers/accounts-by-hand.ts'
import type { AccountReport } from '../issuers/issuer.ts'
import { type MaintenanceAction, type MaintenanceReport, maintenanceActions } from '../maintenance/keeper.ts'
import type { TestResult } from '../notices/notices.ts'
import type { ProbeAnswer } from '../preflight/probe.ts'
import type { ConfigReply, UpgradeReply } from './config-reply.ts'
import type { UpstreamReport } from './upstream-report.ts'

// One request a connection, and then the replies to it: JSON, a line each. No reply holds a private key.

/** Both sides say which they speak; it changes with anything that an older side would take for something else. */
export const CONTROL_VERSION = 2

/** A name has 253 characters and an id 200; paths of files have thousands, and an import names some. */
export const MAX_REQUEST_BYTES = 32 * 1024

/** A hundred names of 253 characters, a chain of ten certificates and a CA's words take a tenth of this. */
export const MAX_REPLY_BYTES = 1024 * 1024

/** What an operator asks of a running program. */
export type ControlRequest =
  /** How it stands with the certificates: with all in short, or whole with those that a name means. */
  | { readonly ask: 'report'; readonly name?: string | undefined }
  /** Try at once what waits after a failure: all, or what a name means. */
  | { readonly ask: 'retry'; readonly name?: string | undefined }
  /** Order what a name means, due or not. */
  | { readonly ask: 'renew'; readonly name: string }
  /** Renew some of what is due on crowded days earlier. */
  | { readonly ask: 'spread' }
  /** What the rate limits of CAs leave. */
  | { readonly ask: 'limits' }
  /** Publish an answer of http-01 that no CA has asked for, and ask for it at these addresses of a name. */
  | { readonly ask: 'probe'; readonly name: string; readonly addresses: readonly string[] }
  /** Whether the program serves. */
  | { readonly ask: 'health' }
  /** Send a test notice to every channel. */
  | { readonly ask: 'notify-test' }
  /** Have what a name means revoked, and replaced. */
  | { readonly ask: 'revoke'; readonly name: string; readonly reason: RevocationReason }
  /** Take over certificates with their keys from PEM files, by absolute paths: the program reads them itself. */
  | { readonly ask: 'import'; readonly files: readonly string[] }
  | {
      /** Close or open a site, if one is named; and say which are closed. The page is the absolute path of a file. */
      readonly ask: 'maintenance'
      readonly site?: string | undefined
      readonly action?: MaintenanceAction | undefined
      readonly forMs?: number | undefined
      readonly page?: string | undefined
    }
  /** Do something with the accounts of an issuer, or of all. */
  | { readonly ask: 'accounts'; readonly action: AccountAction; readonly issuer?: string | undefined }
  /** Go over to the config as it is on the disk, or say what that would change. */
  | { readonly ask: 'reload'; readonly file: string; readonly isDryRun: boolean }
  /** Have the program, as it is on the disk, take over from the one that runs. */
  | { readonly ask: 'upgrade' }
  /** How it stands with the upstreams. */
  | { readonly ask: 'upstreams' }
  /** Give an address of an upstream no more requests, or give it some again. */
  | { readonly ask: 'drain' | 'undrain'; readonly url: string }

/** The first is `hello`, and the last `end` or `error`. */
export type ControlReply =
  | { readonly type: 'hello'; readonly version: number; readonly pid: number }
  | { readonly type: 'certificate'; readonly report: CertificateReport }
  /** With the certificates of the sites, where there are others. */
  | { readonly type: 'on-demand'; readonly counts: OnDemandCounts }
  /** So many outcomes will follow, each when it is known. */
  | { readonly type: 'begun'; readonly count: number }
  | { readonly type: 'outcome'; readonly certificate: Omit<Asked, 'outcome'>; readonly outcome: Outcome }
  | { readonly type: 'spread'; readonly spread: Spread }
  | { readonly type: 'limit'; readonly balance: Balance }
  | { readonly type: 'probe'; readonly answers: readonly ProbeAnswer[] }
  | { readonly type: 'health'; readonly health: Health }
  | { readonly type: 'notified'; readonly result: TestResult }
  | { readonly type: 'account'; readonly report: AccountReport }
  | { readonly type: 'maintenance'; readonly report: MaintenanceReport }
  | { readonly type: 'config'; readonly reply: ConfigReply }
  | { readonly type: 'upgrade'; readonly reply: UpgradeReply }
  | { readonly type: 'upstream'; readonly report: UpstreamReport }
  | { readonly type: 'error'; readonly code: string; readonly message: string }
  | { readonly type: 'end' }

/** A program that starts or stops has fewer workers that accept connections than it is to have. */
export type Health = { readonly accepting: number; readonly workers: number }

export type ControlErrorCode =
  | 'control-line-too-long'
  | 'control-request-invalid'
  | 'control-reply-invalid'
  | 'control-version'
  | 'control-silent'
  | 'control-denied'
  | 'control-unreachable'
  | 'control-broken'

/** Something is wrong with what goes over the control socket, or with the socket. */
export class ControlError extends CastellanError {
  declare readonly code: ControlErrorCode
}

export function formatRequest(request: ControlRequest): string {
  return `${JSON.stringify({ version: CONTROL_VERSION, ...request })}\n`
}

export function formatReply(reply: ControlReply): string {
  return `${JSON.stringify(reply)}\n`
}

/** Throws ControlError `control-request-invalid` or `control-version`; neither repeats what was asked. */
export function parseRequest(line: string): ControlRequest {
  const { version, ask, ...asked } = parseObject(line) ?? {}
  if (version === undefined) throw invalidRequest('it is no JSON object with a version')
  if (version !== CONTROL_VERSION) throw otherVersion()
  const name = optionalText(asked, 'name')
  switch (ask) {
    case 'report':
    case 'retry':
      return { ask, name }
    case 'spread':
    case 'limits':
    case 'upgrade':
    case 'upstreams':
      return { ask }
    case 'renew':
      return { ask, name: required(name, 'it names nothing to renew') }
    case 'probe':
      return { ask, name: required(name, 'it names nothing to probe'), addresses: addressesOf(asked) }
    case 'health':
    case 'notify-test':
      return { ask }
    case 'revoke':
      return { ask, name: required(name, 'it names nothing to revoke'), reason: reasonOf(asked) }
    case 'import':
      return { ask, files: filesOf(asked) }
    case 'drain':
    case 'undrain':
      return { ask, url: required(optionalText(asked, 'url'), `it names nothing to ${ask}`) }
    case 'accounts':
      return { ask, action: actionOf(asked), issuer: optionalText(asked, 'issuer') }
    case 'maintenance':
      return { ask, ...maintenanceOf(asked) }
    case 'reload':
      return { ask, file: fileOf(asked), isDryRun: asked.isDryRun === true }
    default:
      throw invalidRequest('it asks for nothing that there is')
  }
}

type Fields = Readonly<Record<string, unknown>>

function optionalText(fields: Fields, field: string): string | undefined {
  const text = fields[field]
  if (text !== undefined && typeof text !== 'string') throw invalidRequest(`its ${field} is no text`)
  return text
}

function required(text: string | undefined, fault: string): string {
  if (text === undefined) throw invalidRequest(fault)
  return text
}

function addressesOf({ addresses }: Fields): string[] {
  const isList = Array.isArray(addresses) && addresses.every((each) => typeof each === 'string' && isIP(each) !== 0)
  if (isList) return addresses
  throw invalidRequest('its addresses are no list of IP addresses')
}

function reasonOf({ reason }: Fields): RevocationReason {
  if (typeof reason === 'string' && Object.hasOwn(revocationReasons, reason)) return reason as RevocationReason
  throw invalidRequest('it gives no reason that there is')
}

function actionOf({ action }: Fields): AccountAction {
  const known = accountActions.find((each) => each === action)
  if (known === undefined) throw invalidRequest('there is nothing such to do with accounts')
  return known
}

type AskedMaintenance = Omit<Extract<ControlRequest, { ask: 'maintenance' }>, 'ask'>

function maintenanceOf(fields: Fields): AskedMaintenance {
  const { action, forMs } = fields
  const site = optionalText(fields, 'site')
  const page = optionalText(fields, 'page')
  const known = maintenanceActions.find((each) => each === action)
  if (known !== action || (site === undefined) !== (action === undefined))
    throw invalidRequest('there is nothing such to do with a site')
  if (forMs !== undefined && !(typeof forMs === 'number' && forMs > 0)) throw invalidRequest('its time is none')
  if (page !== undefined && !isAbsolute(page)) throw invalidRequest('it names no page by an absolute path')
  return { site, action: known, forMs, page }
}

/** Relative ones would be of the program's own folder, not of whoever asks. */
function filesOf({ files }: Fields): string[] {
  const isList = Array.isArray(files) && files.length > 0
  if (isList && files.every((file) => typeof file === 'string' && isAbsolute(file))) return files
  throw invalidRequest('it names no files by absolute paths')
}

function fileOf({ file }: Fields): string {
  if (typeof file === 'string' && isAbsolute(file)) return file
  throw invalidRequest('it names no file by an absolute path')
}

const REPLY_TYPES: ReadonlySet<unknown> = new Set(
  Object.keys({
    hello: 0,
    certificate: 0,
    'on-demand': 0,
    begun: 0,
    outcome: 0,
    spread: 0,
    limit: 0,
    probe: 0,
    health: 0,
    notified: 0,
    account: 0,
    maintenance: 0,
    config: 0,
    upgrade: 0,
    upstream: 0,
    error: 0,
    end: 0,
  } satisfies Record<ControlReply['type'], 0>),
)

/** The socket is the operator's own, so that it is believed what a reply of a known type holds. Throws ControlError. */
export function parseReply(line: string): ControlReply {
  const reply = parseObject(line)
  if (reply !== undefined && REPLY_TYPES.has(reply.type)) return reply as ControlReply
  throw new ControlError('control-reply-invalid', 'What answers at the control socket is no Castellan of this version.')
}

function parseObject(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

function invalidRequest(fault: string): ControlError {
  return new ControlError('control-request-invalid', `The request is not understood: ${fault}.`)
}

/** The program that serves and the command that asks are of different releases. */
export function otherVersion(): ControlError {
  const message =
    `The program that runs and this command are of different versions (of the control protocol, ${CONTROL_VERSION} here): ` +
    'restart the program, or use the command of the same release.'
  return new ControlError('control-version', message)
}
