import { help } from './cli/help.ts'
import { run } from './cli/run.ts'
import { validate } from './cli/validate.ts'
import { version } from './cli/version.ts'
import { worker } from './cli/worker.ts'
import { outliveReaders } from './telemetry/standard-output.ts'

/** A command takes the arguments after its name and gives the exit code: 0 well, 1 failed, 2 used wrongly. */
type Command = (args: readonly string[]) => Promise<number>

const commands = new Map<string, Command>([
  ['run', run],
  ['validate', validate],
  ['help', help],
  ['--help', help],
  ['-h', help],
  ['version', version],
  ['--version', version],
  ['-v', version],
  ['worker', worker],
])

const HELP_OPTIONS = new Set<string | undefined>(['--help', '-h'])

/** Runs the command that the arguments name and resolves to the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  outliveReaders()
  const [name = 'help', ...rest] = args
  const command = commands.get(name)
  if (command !== undefined) return HELP_OPTIONS.has(rest[0]) ? help() : command(rest)
  const meant = /\.ya?ml$/.test(name) ? `did you mean "castellan run ${name}"? ` : ''
  process.stderr.write(`castellan: there is no command "${name}"; ${meant}"castellan help" lists them\n`)
  return 2
}
