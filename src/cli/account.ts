import { parseArgs } from 'node:util'
import { collectReplies } from '../admin/client.ts'
import type { Config } from '../config/config.ts'
import { loadConfig } from '../config/load.ts'
import { didYouMean } from '../config/suggestion.ts'
import { type AccountAction, accountActions, unknownIssuer } from '../issuers/accounts-by-hand.ts'
import type { AccountReport } from '../issuers/issuer.ts'
import { accountReport, storedAccounts } from '../issuers/stored-accounts.ts'
import { FileReader } from '../storage/file-reader.ts'
import { systemClock } from '../system/clock.ts'
import { printJson } from './certs/json.ts'
import { noneRuns } from './certs/looking.ts'
import { commonOptions, mistakeOf } from './config-argument.ts'
import { tellFailure } from './failure.ts'
import { formatFacts } from './table.ts'

const USAGE = `castellan account ${accountActions.join('|')} [ISSUER] [--config FILE] [--json]`

type Given = {
  readonly action: AccountAction
  readonly issuer: string | undefined
  readonly config: string
  readonly json: boolean
}

/** `castellan account ACTION [ISSUER]`: looks at the accounts at CAs, gives them new keys, or ends them. */
export async function account(args: readonly string[]): Promise<number> {
  const given = readGiven(args)
  if (typeof given === 'string') {
    process.stderr.write(`castellan: ${given}; usage: ${USAGE}\n`)
    return 2
  }
  try {
    return await run(given)
  } catch (error) {
    return tellFailure(error)
  }
}

/** The arguments, or what is wrong with them. */
function readGiven(args: readonly string[]): Given | string {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: commonOptions,
      allowPositionals: true,
    })
    const [name = '', issuer, ...more] = positionals
    const action = accountActions.find((each) => each === name)
    if (action === undefined) {
      const hint = didYouMean(name, accountActions)
      return `"account" needs one of ${accountActions.join(', ')}${hint === undefined ? '' : `; ${hint}`}`
    }
    if (more.length > 0) return `"account ${action}" takes one issuer, not ${more.length + 1}`
    // What nothing brings back is not done to all of them at once.
    if (action === 'deactivate' && issuer === undefined) return '"account deactivate" needs the name of an issuer'
    return { action, issuer, config: values.config, json: values.json }
  } catch (error) {
    return mistakeOf(error)
  }
}

async function run({ action, issuer, config: file, json }: Given): Promise<number> {
  const { config } = await loadConfig({ file, env: process.env })
  const { folder } = config.storage
  const told = await tell(folder, action, issuer)
  if (told === undefined && action !== 'show') {
    process.stderr.write(`castellan: ${noneRuns(folder)}, so there is none to do it; start it with "castellan run".\n`)
    return 1
  }
  const reports = told ?? (await readStored(config, issuer))
  if (told === undefined) process.stderr.write(`${noneRuns(folder)}: this is what the storage holds.\n`)
  if (json) printJson({ running: told !== undefined, accounts: reports })
  else process.stdout.write(formatAccounts(reports, action))
  return 0
}

async function tell(
  folder: string,
  action: AccountAction,
  issuer: string | undefined,
): Promise<AccountReport[] | undefined> {
  const replies = await collectReplies(folder, { ask: 'accounts', action, issuer }, 'account', systemClock)
  return replies?.map(({ report }) => report)
}

async function readStored(config: Config, issuer: string | undefined): Promise<AccountReport[]> {
  const names = [...config.issuers.keys()]
  if (issuer !== undefined && !names.includes(issuer)) throw unknownIssuer(issuer, names)
  const storage = new FileReader(config.storage.folder)
  const reports: AccountReport[] = []
  for (const name of issuer === undefined ? names : [issuer])
    for (const placed of await storedAccounts(storage, name)) reports.push(accountReport(placed, name, storage))
  return reports
}

/** What became of them, as the action has it. */
const DONE: Record<AccountAction, string> = {
  show: '',
  rollover: 'It has a new key.',
  deactivate: 'It is deactivated for good, and the next order makes another.',
}

export function formatAccounts(reports: readonly AccountReport[], action: AccountAction): string {
  if (reports.length === 0) return 'There are no accounts yet: one is made with the first order from a CA.\n'
  return reports.map((report) => formatAccount(report, DONE[action])).join('\n')
}

function formatAccount(report: AccountReport, done: string): string {
  const { issuer, directory, site, url, keyKind, thumbprint, contact, stored, status, fault } = report
  return formatFacts([
    ['issuer', `${issuer} (${directory})`],
    ...(site === undefined ? [] : [['site', site] as const]),
    ['account', url ?? 'not registered yet'],
    ['key', `${keyKind ?? 'of another kind'}, thumbprint ${thumbprint}`],
    ['contact', contact ?? 'nobody'],
    ['stored', stored],
    ...(status === undefined ? [] : [['the CA says', status] as const]),
    ...(fault === undefined ? [] : [['note', fault] as const]),
    ...(done === '' ? [] : [['done', done] as const]),
  ])
}
