import { askProgram } from '../admin/client.ts'
import type { UpgradeReply } from '../admin/config-reply.ts'
import { loadConfig } from '../config/load.ts'
import { storagePlace } from '../config/storage-place.ts'
import { systemClock } from '../system/clock.ts'
import { escapeControls } from '../telemetry/line-log.ts'
import { printJson } from './certs/json.ts'
import { noneRuns } from './certs/looking.ts'
import { optionsOnly } from './config-argument.ts'
import { tellFailure } from './failure.ts'

/** `castellan upgrade`: has the program as it is on the disk take over from the one that runs, and says which process it is. */
export async function upgrade(args: readonly string[]): Promise<number> {
  const given = optionsOnly('upgrade', args)
  if (given === undefined) return 2
  try {
    const reply = await ask(given.config)
    if (given.json) printJson(reply)
    else if (reply.status === 'well') process.stdout.write(`process ${reply.pid} serves now\n`)
    else process.stderr.write(`castellan: ${escapeControls(reply.reason)}\n`)
    return reply.status === 'well' ? 0 : 1
  } catch (error) {
    return tellFailure(error)
  }
}

/** What is wrong with a config is the new program's to say: here it only tells where the storage is. */
async function ask(file: string): Promise<UpgradeReply> {
  const folder =
    (await storagePlace(file, process.env)) ?? (await loadConfig({ file, env: process.env })).config.storage.folder
  const replies = await askProgram(folder, { ask: 'upgrade' }, systemClock)
  for await (const reply of replies ?? []) if (reply.type === 'upgrade') return reply.reply
  return { status: 'failed', reason: `${noneRuns(folder)}, so there is none to take over from.` }
}
