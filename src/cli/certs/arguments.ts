import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { type RevocationReason, revocationReason, revocationReasons } from '../../acme/revocation.ts'
import { siteNameFormat } from '../../config/site-name.ts'
import { didYouMean } from '../../config/suggestion.ts'
import { commonOptions, mistakeOf } from '../config-argument.ts'

/** What a command needs besides --config and --json. */
export type Takes = 'nothing' | 'name' | 'name-or-all' | 'name-and-folder' | 'name-and-reason' | 'files'

export type CertsArguments = {
  readonly config: string
  readonly json: boolean
  /** Empty for commands that take none, and for --all. */
  readonly name: string
  readonly all: boolean
  /** For commands that take one. */
  readonly folder: string
  readonly reason: RevocationReason
  /** Absolute paths. */
  readonly files: readonly string[]
}

export type Misuse = { readonly mistake: string; readonly usage: string }

const USAGE: Record<Takes, string> = {
  nothing: '',
  name: ' NAME',
  'name-or-all': ' NAME | --all',
  'name-and-folder': ' NAME --to FOLDER',
  'name-and-reason': ` NAME [--reason ${Object.keys(revocationReasons).join('|')}]`,
  files: ' FILE…',
}

/** The arguments behind `castellan COMMAND`, or what is wrong with them. */
export function readArguments(command: string, takes: Takes, args: readonly string[]): CertsArguments | Misuse {
  const usage = `castellan ${command}${USAGE[takes]} [--config FILE] [--json]`
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: {
        ...commonOptions,
        ...(takes === 'name-or-all' && { all: { type: 'boolean' } }),
        ...(takes === 'name-and-folder' && { to: { type: 'string' } }),
        ...(takes === 'name-and-reason' && { reason: { type: 'string' } }),
      },
      allowPositionals: true,
    })
    const { config, json, all = false, to = '', reason = 'unspecified' } = values as Values
    const mistake = mistakeIn({ takes, names: positionals, all, folder: to, reason })
    if (mistake !== undefined) return { mistake: `"${command}" ${mistake}`, usage }
    const files = takes === 'files' ? positionals.map((file) => resolve(file)) : []
    const name = canonical(positionals[0] ?? '')
    return { config, json, name, all, folder: to, reason: revocationReason(reason)!, files }
  } catch (error) {
    return { mistake: mistakeOf(error), usage }
  }
}

type Values = {
  readonly config: string
  readonly json: boolean
  readonly all?: boolean
  readonly to?: string
  readonly reason?: string
}

type Given = {
  readonly takes: Takes
  readonly names: readonly string[]
  readonly all: boolean
  readonly folder: string
  readonly reason: string
}

function mistakeIn({ takes, names, all, folder, reason }: Given): string | undefined {
  if (takes === 'files') return names.length > 0 && !names.includes('') ? undefined : 'needs files to read'
  if (names.length > 1) return `takes one name, not ${names.length}: ${names.join(', ')}`
  if (takes === 'nothing') return names.length === 0 ? undefined : 'takes no name'
  if (all && names.length > 0) return 'takes a name or --all, not both'
  if (!all && (names[0] ?? '') === '') return 'needs a name'
  if (takes === 'name-and-folder' && folder === '') return 'needs a folder to write to'
  if (revocationReason(reason) === undefined) {
    const known = Object.entries(revocationReasons).map(([name, code]) => `${name} (${code})`)
    const hint = didYouMean(reason, Object.keys(revocationReasons)) ?? `there are ${known.join(', ')}`
    return `knows no reason ${JSON.stringify(reason)}; ${hint}`
  }
  return undefined
}

/** As the config would have it: punycode, lower case. An id stays as it is. */
function canonical(text: string): string {
  const name = siteNameFormat.read(text)
  return typeof name === 'string' ? name : text
}
