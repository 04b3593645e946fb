import { askProgram } from '../../admin/client.ts'
import type { Spread } from '../../certificates/spread-renewals.ts'
import { loadConfig } from '../../config/load.ts'
import { systemClock } from '../../system/clock.ts'
import type { CertsArguments } from './arguments.ts'
import { printJson } from './json.ts'
import { noneRuns } from './looking.ts'

/** `castellan certs spread`: renews some of what is due on crowded days earlier, once. */
export async function spread({ config: file, json }: CertsArguments): Promise<number> {
  const { config } = await loadConfig({ file, env: process.env })
  const replies = await askProgram(config.storage.folder, { ask: 'spread' }, systemClock)
  if (replies === undefined) {
    process.stderr.write(`castellan: ${noneRuns(config.storage.folder)}, so there is none to do it.\n`)
    return 1
  }
  for await (const reply of replies) {
    if (reply.type !== 'spread') continue
    if (json) printJson({ spread: reply.spread })
    else process.stdout.write(`${formatSpread(reply.spread)}\n`)
  }
  return 0
}

export function formatSpread({ renewals, moved, days, most, mostBefore }: Spread): string {
  if (moved === 0) return `Nothing to spread out: of ${renewals} renewals, no day has more than ${most}.`
  return `${moved} of ${renewals} renewals come earlier: within the next ${days} days no day has more than ${most}, where one had ${mostBefore}.`
}
