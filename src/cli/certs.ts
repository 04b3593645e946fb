import { didYouMean } from '../config/suggestion.ts'
import { type CertsArguments, readArguments, type Takes } from './certs/arguments.ts'
import { exportFiles } from './certs/export.ts'
import { importFiles } from './certs/import.ts'
import { list } from './certs/list.ts'
import { renew, retry, revoke } from './certs/order.ts'
import { plan } from './certs/plan.ts'
import { show } from './certs/show.ts'
import { spread } from './certs/spread.ts'
import { tellFailure } from './failure.ts'

type CertsCommand = { readonly takes: Takes; readonly run: (given: CertsArguments) => Promise<number> }

const commands = new Map<string, CertsCommand>([
  ['list', { takes: 'nothing', run: list }],
  ['show', { takes: 'name', run: show }],
  ['plan', { takes: 'nothing', run: plan }],
  ['retry', { takes: 'name-or-all', run: retry }],
  ['renew', { takes: 'name', run: renew }],
  ['spread', { takes: 'nothing', run: spread }],
  ['revoke', { takes: 'name-and-reason', run: revoke }],
  ['import', { takes: 'files', run: importFiles }],
  ['export', { takes: 'name-and-folder', run: exportFiles }],
])

/** `castellan certs COMMAND`: looks at the certificates, and acts on them by hand. */
export async function certs(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args
  const command = commands.get(name ?? '')
  if (command === undefined) return refuse(name)
  const given = readArguments(`certs ${name}`, command.takes, rest)
  if ('mistake' in given) {
    process.stderr.write(`castellan: ${given.mistake}; usage: ${given.usage}\n`)
    return 2
  }
  try {
    return await command.run(given)
  } catch (error) {
    return tellFailure(error)
  }
}

function refuse(name: string | undefined): number {
  const all = [...commands.keys()].join(', ')
  const hint = name === undefined ? undefined : didYouMean(name, commands.keys())
  const what = name === undefined ? '"certs" needs a command' : `there is no command ${JSON.stringify(`certs ${name}`)}`
  process.stderr.write(`castellan: ${what}; ${hint ?? `there are ${all}`}\n`)
  return 2
}
