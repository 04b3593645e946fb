import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { collectReplies } from '../admin/client.ts'
import { spokenTime } from '../certificates/spoken-time.ts'
import { durationFormat } from '../config/duration.ts'
import { loadConfig } from '../config/load.ts'
import { Refusal } from '../config/problem.ts'
import { didYouMean } from '../config/suggestion.ts'
import { type MaintenanceAction, type MaintenanceReport, maintenanceActions } from '../maintenance/keeper.ts'
import { systemClock } from '../system/clock.ts'
import { escapeControls } from '../telemetry/line-log.ts'
import { printJson } from './certs/json.ts'
import { noneRuns } from './certs/looking.ts'
import { commonOptions, mistakeOf } from './config-argument.ts'
import { tellFailure } from './failure.ts'
import { formatTable } from './table.ts'

const USAGE = 'castellan maintenance [SITE on|off|hold] [--for 30s] [--page FILE] [--config FILE] [--json]'

type Given = {
  /** undefined to look only. */
  readonly asked: { readonly site: string; readonly action: MaintenanceAction } | undefined
  readonly forMs: number | undefined
  /** Absolute. */
  readonly page: string | undefined
  readonly config: string
  readonly json: boolean
}

/** `castellan maintenance [SITE on|off|hold]`: closes and opens a site of the program that runs, or says which are closed. */
export async function maintenance(args: readonly string[]): Promise<number> {
  const given = readGiven(args)
  if (typeof given === 'string') {
    process.stderr.write(`castellan: ${escapeControls(given)}; usage: ${USAGE}\n`)
    return 2
  }
  try {
    return await run(given)
  } catch (error) {
    return tellFailure(error)
  }
}

/** The arguments, or what is wrong with them. */
export function readGiven(args: readonly string[]): Given | string {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: { ...commonOptions, for: { type: 'string' }, page: { type: 'string' } },
      allowPositionals: true,
    })
    const [site, word, ...more] = positionals
    const { config, json } = values
    if (site === undefined) {
      if (values.for !== undefined || values.page !== undefined) return '"maintenance" needs a site'
      return { asked: undefined, forMs: undefined, page: undefined, config, json }
    }
    if (more.length > 0) return `"maintenance" takes one site, and not "${more[0]}"`
    const action = maintenanceActions.find((each) => each === word)
    if (action === undefined) {
      const hint = word === undefined ? undefined : didYouMean(word, maintenanceActions)
      return `"maintenance ${site}" needs on, off or hold${hint === undefined ? '' : `; ${hint}`}`
    }
    if (action === 'off' && (values.for !== undefined || values.page !== undefined))
      return '--for and --page are of no use with off'
    const forMs = values.for === undefined ? undefined : readFor(values.for, action)
    if (typeof forMs === 'string') return forMs
    return { asked: { site, action }, forMs, page: values.page && resolve(values.page), config, json }
  } catch (error) {
    return mistakeOf(error)
  }
}

/** A minute is as long as a client and what stands in front of us wait. */
const HOLD_FORMAT = durationFormat({ atLeast: '1s', atMost: '60s' })
const STAY_AWAY_FORMAT = durationFormat({ atLeast: '1s', atMost: '30d' })

function readFor(written: string, action: MaintenanceAction): number | string {
  const ms = (action === 'hold' ? HOLD_FORMAT : STAY_AWAY_FORMAT).read(written)
  return ms instanceof Refusal ? `--for ${written}${ms.fault === undefined ? '' : `, ${ms.fault}`}: ${ms.allowed}` : ms
}

async function run({ asked, forMs, page, config: file, json }: Given): Promise<number> {
  const { config } = await loadConfig({ file, env: process.env })
  const { folder } = config.storage
  const request = { ask: 'maintenance', ...asked, forMs, page } as const
  const replies = await collectReplies(folder, request, 'maintenance', systemClock)
  if (replies === undefined) {
    process.stderr.write(`castellan: ${noneRuns(folder)}, and so no site is open or closed\n`)
    return 1
  }
  const reports = replies.map(({ report }) => report)
  if (json) printJson({ maintenance: reports })
  else process.stdout.write(formatReports(reports))
  return 0
}

export function formatReports(reports: readonly MaintenanceReport[]): string {
  if (reports.length === 0) return 'No site is in maintenance.\n'
  return formatTable(
    ['SITE', 'STATE'],
    reports.map((report) => ({ cells: [report.site, stateOf(report)] })),
  )
}

function stateOf({ mode, since, until }: MaintenanceReport): string {
  switch (mode) {
    case 'config':
      return 'closed by the config'
    case 'on':
      return `closed since ${spokenTime(since!)}`
    case 'hold':
      return `requests wait until ${spokenTime(until!)}, and are then refused`
    default:
      return mode satisfies never
  }
}
