import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { collectReplies } from '../admin/client.ts'
import type { Health } from '../admin/protocol.ts'
import { ENVIRONMENT } from '../config/config-source.ts'
import { systemClock } from '../system/clock.ts'
import { commonOptions, mistakeOf } from './config-argument.ts'
import { tellFailure } from './failure.ts'

const USAGE = 'castellan health [--config FILE | --storage FOLDER]'

/** `castellan health`: whether the program that runs serves, by the exit code; for whoever looks after it every few seconds. */
export async function health(args: readonly string[]): Promise<number> {
  let given: { readonly config: string; readonly storage?: string | undefined }
  try {
    const { config } = commonOptions
    given = parseArgs({ args: [...args], options: { config, storage: { type: 'string' } } }).values
  } catch (error) {
    process.stderr.write(`castellan: ${mistakeOf(error)}; usage: ${USAGE}\n`)
    return 2
  }
  try {
    return tell(await ask(given.storage ?? (await storageOf(given.config))))
  } catch (error) {
    return tellFailure(error)
  }
}

/** What reads a config is not loaded where the environment says it in a word: this runs every few seconds. */
async function storageOf(source: string): Promise<string> {
  if (source === ENVIRONMENT) return process.env.CASTELLAN_STORAGE || 'data'
  const { loadConfig } = await import('../config/load.ts')
  const { config } = await loadConfig({ file: source, env: process.env })
  return config.storage.folder
}

async function ask(storage: string): Promise<Health | undefined> {
  const replies = await collectReplies(resolve(storage), { ask: 'health' }, 'health', systemClock)
  return replies?.[0]?.health
}

function tell(found: Health | undefined): number {
  if (found === undefined) {
    process.stdout.write('not serving: no Castellan runs with this storage\n')
    return 1
  }
  const { accepting, workers } = found
  const isServing = accepting > 0
  process.stdout.write(
    `${isServing ? 'serving' : 'not serving'}: ${accepting} of ${workers} workers accept connections\n`,
  )
  return isServing ? 0 : 1
}
