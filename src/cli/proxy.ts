import { ENVIRONMENT } from '../config/config-source.ts'
import { parsePort } from '../config/port.ts'
import { runConfig } from './run.ts'

const USAGE =
  'castellan proxy [--from NAME[,NAME]] --to URL|:PORT [--issuer NAME] [--https ADDRESS] [--storage FOLDER] …'

const DEFAULT_FROM = 'localhost'

/** Of these "on" would be a name or an address. */
const VALUED = new Set(['--from', '--to', '--https', '--http', '--storage', '--issuer', '--contact'])

/**
 * `castellan proxy --from example.com --to :3000`: serves one site without a file. There is an option for every variable
 * CASTELLAN_*, and what no option says is taken from those.
 */
export async function proxy(args: readonly string[]): Promise<number> {
  const options = readOptions(args)
  if (typeof options === 'string') {
    process.stderr.write(`castellan: ${options}; usage: ${USAGE}\n`)
    return 2
  }
  // By their own names, so that a problem with one names it, in the process that reads the config as well.
  for (const [option, text] of options) process.env[option] = text
  if (process.env.CASTELLAN_SITE === undefined) process.env['--from'] ??= DEFAULT_FROM
  return runConfig(ENVIRONMENT)
}

/** The options, with the variables' spelling of their values; or what is wrong with them. */
export function readOptions(args: readonly string[]): ReadonlyMap<string, string> | string {
  const options = new Map<string, string>()
  for (let index = 0; index < args.length; index++) {
    const [, option, attached] = /^(--[^=]+)(?:=(.*))?$/s.exec(args[index]!) ?? []
    if (option === undefined) return `"proxy" takes options alone, not ${JSON.stringify(args[index])}`
    const next = args[index + 1]
    // Without a value it turns something on, as --accept-terms does.
    const isValue = attached === undefined && next !== undefined && !next.startsWith('--')
    if (isValue) index++
    if (attached === undefined && !isValue && VALUED.has(option)) return `${option} needs a value`
    if (options.has(option)) return `${option} is there twice`
    options.set(option, attached ?? (isValue ? next : 'on'))
  }
  const to = options.get('--to')
  if (to !== undefined) options.set('--to', asUrl(to))
  const answers = [...options.keys()].some((option) => /^--(to|redirect-to|respond.*)$/.test(option))
  const isSomewhere = answers || process.env.CASTELLAN_UPSTREAM !== undefined
  return isSomewhere ? options : '--to is needed: where the app answers'
}

/** `:3000` is the app on this machine. */
function asUrl(to: string): string {
  return to.startsWith(':') && parsePort(to.slice(1)) !== undefined ? `http://localhost${to}` : to
}
