import { withoutArguments } from './cli/no-arguments.ts'
import { outliveReaders } from './telemetry/standard-output.ts'

/** A command takes the arguments after its name and gives the exit code: 0 well, 1 failed, 2 used wrongly. */
type Command = (args: readonly string[]) => Promise<number>

const help = async (): Promise<number> => (await import('./cli/help.ts')).help()
const version: Command = async (args) => withoutArguments('version', args, (await import('./cli/version.ts')).version)

/** Each loads what it needs: a worker has no use for what reads a config or speaks ACME, which would cost it 40 MB. */
const commands = new Map<string, Command>([
  ['run', async (args) => (await import('./cli/run.ts')).run(args)],
  ['reload', async (args) => (await import('./cli/reload.ts')).reload(args)],
  ['upgrade', async (args) => (await import('./cli/upgrade.ts')).upgrade(args)],
  ['proxy', async (args) => (await import('./cli/proxy.ts')).proxy(args)],
  ['validate', async (args) => (await import('./cli/validate.ts')).validate(args)],
  ['certs', async (args) => (await import('./cli/certs.ts')).certs(args)],
  ['limits', async (args) => (await import('./cli/limits.ts')).limits(args)],
  ['audit', async (args) => (await import('./cli/audit.ts')).auditInstallation(args)],
  ['drill', async (args) => (await import('./cli/drill.ts')).drill(args)],
  ['health', async (args) => (await import('./cli/health.ts')).health(args)],
  ['schema', async (args) => withoutArguments('schema', args, (await import('./cli/schema.ts')).schema)],
  ['variables', async (args) => withoutArguments('variables', args, (await import('./cli/variables.ts')).variables)],
  ['doctor', async (args) => (await import('./cli/doctor.ts')).doctor(args)],
  ['explain', async (args) => (await import('./cli/explain.ts')).explainRequest(args)],
  ['upstreams', async (args) => (await import('./cli/upstreams.ts')).upstreams(args)],
  ['notify', async (args) => (await import('./cli/notify.ts')).notify(args)],
  ['account', async (args) => (await import('./cli/account.ts')).account(args)],
  ['hash-password', async (args) => (await import('./cli/hash-password.ts')).printPasswordHash(args)],
  ['maintenance', async (args) => (await import('./cli/maintenance.ts')).maintenance(args)],
  ['help', help],
  ['--help', help],
  ['-h', help],
  ['version', version],
  ['--version', version],
  ['-v', version],
  ['load-config', async (args) => (await import('./cli/load-config.ts')).loadConfigForParent(args)],
  ['worker', async () => (await import('./cli/worker.ts')).worker()],
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
