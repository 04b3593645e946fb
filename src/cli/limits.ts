import { collectReplies } from '../admin/client.ts'
import { recallLimits } from '../certificates/ledger/ledger.ts'
import { countedAs } from '../certificates/ledger/limits.ts'
import type { Balance } from '../certificates/ledger/order-facts.ts'
import { spokenDuration } from '../certificates/spoken-time.ts'
import type { Config } from '../config/config.ts'
import { loadConfig } from '../config/load.ts'
import { FileReader } from '../storage/file-reader.ts'
import { limitsOf } from '../supervisor/issuers.ts'
import { systemClock } from '../system/clock.ts'
import { readArguments } from './certs/arguments.ts'
import { printJson } from './certs/json.ts'
import { noneRuns } from './certs/looking.ts'
import { minuteOf } from './certs/words.ts'
import { tellFailure } from './failure.ts'
import { formatTable } from './table.ts'

/** `castellan limits`: what is left of the rate limits of the CAs, of all of which something was spent. */
export async function limits(args: readonly string[]): Promise<number> {
  const given = readArguments('limits', 'nothing', args)
  if ('mistake' in given) {
    process.stderr.write(`castellan: ${given.mistake}; usage: ${given.usage}\n`)
    return 2
  }
  try {
    const { config } = await loadConfig({ file: given.config, env: process.env })
    const { isRunning, balances } = await lookAtLimits(config)
    if (!isRunning) process.stderr.write(`${noneRuns(config.storage.folder)}: this is what the storage holds.\n`)
    if (given.json) printJson({ running: isRunning, limits: balances.map((each) => named(each, config)) })
    else process.stdout.write(formatLimits(balances, config))
    return 0
  } catch (error) {
    return tellFailure(error)
  }
}

/** What is left of each limit: as the program that runs knows it, else as it is stored. Throws CastellanError. */
export async function lookAtLimits(
  config: Config,
): Promise<{ readonly isRunning: boolean; readonly balances: readonly Balance[] }> {
  const told = await tell(config.storage.folder)
  if (told !== undefined) return { isRunning: true, balances: told }
  const now = systemClock.now()
  const ledger = await recallLimits(new FileReader(config.storage.folder), now, limitsOf(config))
  return { isRunning: false, balances: ledger.balances(now) }
}

async function tell(folder: string): Promise<Balance[] | undefined> {
  const replies = await collectReplies(folder, { ask: 'limits' }, 'limit', systemClock)
  return replies?.map(({ balance }) => balance)
}

/** The fewest first. */
export function formatLimits(balances: readonly Balance[], config: Pick<Config, 'issuers'>): string {
  if (balances.length === 0) return 'Nothing was spent of any rate limit that is known.\n'
  const rows = balances.toSorted((a, b) => partOf(a) - partOf(b)).map((each) => ({ cells: cellsOf(each, config) }))
  return formatTable(['CA', 'LEFT', 'MORE AT', 'OF'], rows)
}

function partOf({ left, limit }: Balance): number {
  return limit === undefined ? 0 : left / limit.count
}

function cellsOf(balance: Balance, config: Pick<Config, 'issuers'>): string[] {
  const { left, moreAt, limit, kind, subject } = balance
  const counted = countedAs[kind](subject)
  const of =
    limit === undefined
      ? `${counted}, as the CA says`
      : `${limit.count} ${counted} in ${spokenDuration(limit.periodMs)}`
  return [named(balance, config).issuer, String(left), moreAt === undefined ? '-' : minuteOf(moreAt), of]
}

function named(balance: Balance, { issuers }: Pick<Config, 'issuers'>): Balance & { readonly issuer: string } {
  const issuer = [...issuers].find(([, { directory }]) => directory === balance.authority)?.[0] ?? balance.authority
  return { issuer, ...balance }
}
