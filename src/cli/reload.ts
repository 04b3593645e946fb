import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { askProgram } from '../admin/client.ts'
import type { ConfigReply } from '../admin/config-reply.ts'
import { ENVIRONMENT } from '../config/config-source.ts'
import { loadConfig } from '../config/load.ts'
import { ConfigError, formatProblem } from '../config/problem.ts'
import { storagePlace } from '../config/storage-place.ts'
import { CastellanError } from '../errors.ts'
import { inWords } from '../supervisor/config-changes-in-words.ts'
import { systemClock } from '../system/clock.ts'
import { escapeControls } from '../telemetry/line-log.ts'
import { printJson } from './certs/json.ts'
import { noneRuns } from './certs/looking.ts'
import { commonOptions, mistakeOf } from './config-argument.ts'
import { tellFailure } from './failure.ts'

const USAGE = 'castellan reload [--dry-run] [--config FILE] [--json]'

type Given = { readonly config: string; readonly json: boolean; readonly 'dry-run': boolean }

/** `castellan reload`: has the program that runs go over to its config as it is on the disk, or says what that would change. */
export async function reload(args: readonly string[]): Promise<number> {
  const given = readArguments(args)
  if (typeof given === 'string') {
    process.stderr.write(`castellan: ${escapeControls(given)}; usage: ${USAGE}\n`)
    return 2
  }
  try {
    return tell(await ask(given), given)
  } catch (error) {
    return tellFailure(error)
  }
}

/** What was given, or what is wrong with it. */
function readArguments(args: readonly string[]): Given | string {
  try {
    const options = { ...commonOptions, 'dry-run': { type: 'boolean', default: false } } as const
    return parseArgs({ args: [...args], options }).values
  } catch (error) {
    return mistakeOf(error)
  }
}

class NoneRunsError extends CastellanError {
  declare readonly code: 'none-runs'
}

async function ask({ config, 'dry-run': isDryRun }: Given): Promise<ConfigReply> {
  const folder = (await storagePlace(config, process.env)) ?? (await placeInWhole(config))
  if (typeof folder !== 'string') return folder
  const replies = await askProgram(
    folder,
    { ask: 'reload', file: config === ENVIRONMENT ? config : resolve(config), isDryRun },
    systemClock,
  )
  for await (const reply of replies ?? []) if (reply.type === 'config') return reply.reply
  const message = `${noneRuns(folder)}, so there is nothing to reload; "castellan run" starts one. If it runs with another storage, "storage" has changed, which takes a restart.`
  throw new NoneRunsError('none-runs', message, { folder })
}

/** Where that cannot be told, what is wrong with the config: no program would do anything else than refuse it. */
async function placeInWhole(file: string): Promise<string | ConfigReply> {
  try {
    const { config } = await loadConfig({ file, env: process.env, isThorough: true })
    return config.storage.folder
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return { status: 'refused', reason: error.message, problems: error.problems.map(formatProblem) }
  }
}

function tell(reply: ConfigReply, { json, 'dry-run': isDryRun }: Given): number {
  if (json) printJson(reply)
  else if (reply.status === 'well') print(linesOf(reply, isDryRun))
  else if (reply.problems.length > 0) print(reply.problems)
  else process.stderr.write(`castellan: ${escapeControls(reply.reason)}\n`)
  return reply.status === 'well' ? 0 : 1
}

function linesOf({ changes, warnings }: Extract<ConfigReply, { status: 'well' }>, isDryRun: boolean): string[] {
  const words = inWords(changes, isDryRun ? 'foreseen' : 'done')
  const nothing = isDryRun ? 'nothing would change' : 'nothing has changed'
  return [...warnings.map((warning) => `warning: ${warning}`), ...(words.length === 0 ? [nothing] : words)]
}

function print(lines: readonly string[]): void {
  process.stdout.write(lines.map((line) => `${escapeControls(line)}\n`).join(''))
}
