import { parseArgs } from 'node:util'
import { defaultSource } from '../config/config-source.ts'
import { describeError } from '../errors.ts'

/** What commands have in common that can do without a positional config. */
export const commonOptions = {
  config: { type: 'string', short: 'c', default: defaultSource(process.env) },
  json: { type: 'boolean', default: false },
} as const

/** What parseArgs found wrong, in a sentence without its end. */
export function mistakeOf(error: unknown): string {
  // What follows explains the parser rather than the mistake.
  return describeError(error).split('. ')[0]!
}

/** What a command that takes nothing but --config and --json was given; undefined if that is wrong, which has been said. */
export function optionsOnly(
  command: string,
  args: readonly string[],
): { readonly config: string; readonly json: boolean } | undefined {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: commonOptions,
    })
    return values
  } catch (error) {
    process.stderr.write(`castellan: ${mistakeOf(error)}; usage: castellan ${command} [--config FILE] [--json]\n`)
  }
  return undefined
}

/**
 * The config file that a command is to use, or `env:`: its only argument, or `--config FILE`. undefined if the arguments are wrong,
 * which has then been said.
 */
export function configArgument(command: string, args: readonly string[]): string | undefined {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: { config: { type: 'string', short: 'c' } },
      allowPositionals: true,
    })
    const files = values.config === undefined ? positionals : [values.config, ...positionals]
    if (files.length <= 1) return files[0] ?? defaultSource(process.env)
    process.stderr.write(`castellan: "${command}" takes one config file, not ${files.length}: ${files.join(', ')}\n`)
  } catch (error) {
    process.stderr.write(`castellan: ${mistakeOf(error)}; usage: castellan ${command} [CONFIG]\n`)
  }
  return undefined
}
