import { parseArgs } from 'node:util'
import { collectReplies } from '../admin/client.ts'
import type { ControlRequest } from '../admin/protocol.ts'
import type { UpstreamReport } from '../admin/upstream-report.ts'
import { loadConfig } from '../config/load.ts'
import { systemClock } from '../system/clock.ts'
import { escapeControls } from '../telemetry/line-log.ts'
import { printJson } from './certs/json.ts'
import { noneRuns } from './certs/looking.ts'
import { minuteOf } from './certs/words.ts'
import { commonOptions, mistakeOf } from './config-argument.ts'
import { tellFailure } from './failure.ts'
import { formatTable } from './table.ts'

const USAGE = 'castellan upstreams [drain URL | undrain URL] [--config FILE] [--json]'

type Given = { readonly request: ControlRequest; readonly config: string; readonly json: boolean }

/** `castellan upstreams`: how it stands with each address that requests go to; `drain` and `undrain` for one of them. */
export async function upstreams(args: readonly string[]): Promise<number> {
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
function readGiven(args: readonly string[]): Given | string {
  try {
    const { values, positionals } = parseArgs({ args: [...args], options: commonOptions, allowPositionals: true })
    const [action, url, ...more] = positionals
    if (action === undefined) return { ...values, request: { ask: 'upstreams' } }
    if (action !== 'drain' && action !== 'undrain') return `there is no "upstreams ${action}"`
    if (url === undefined || url === '') return `"upstreams ${action}" needs a URL`
    if (more.length > 0) return `"upstreams ${action}" takes one URL, not ${more.length + 1}`
    return { ...values, request: { ask: action, url } }
  } catch (error) {
    return mistakeOf(error)
  }
}

async function run({ request, config: file, json }: Given): Promise<number> {
  const { config } = await loadConfig({ file, env: process.env })
  const replies = await collectReplies(config.storage.folder, request, 'upstream', systemClock)
  if (replies === undefined) {
    process.stderr.write(`castellan: ${noneRuns(config.storage.folder)}; start it with "castellan run".\n`)
    return 1
  }
  const reports = replies.map(({ report }) => report)
  if (json) printJson({ upstreams: reports })
  else process.stdout.write(formatUpstreams(reports))
  return 0
}

const HEAD = ['UPSTREAM', 'STATE', 'WEIGHT', 'UNDER WAY', 'REQUESTS', 'FAILURES', 'SITES']

export function formatUpstreams(reports: readonly UpstreamReport[]): string {
  if (reports.length === 0) return 'No site has an upstream.\n'
  return formatTable(
    HEAD,
    reports.map((report) => ({ cells: cellsOf(report), notes: notesOf(report) })),
  )
}

function cellsOf({ url, state, weight, underWay, requests, failures, sites }: UpstreamReport): string[] {
  return [url, state, ...[weight, underWay, requests, failures].map(String), sites.join(', ')]
}

/** Since when, and why, where it gets less than its share. */
function notesOf({ since, why }: UpstreamReport): string[] {
  if (why === undefined) return []
  return [since === undefined ? `Because ${why}.` : `Since ${minuteOf(since)}: ${why.replace(/\.$/, '')}.`]
}
