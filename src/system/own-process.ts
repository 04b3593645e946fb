import { type ChildProcess, fork, type StdioOptions, spawn } from 'node:child_process'
import { isSea } from 'node:sea'

export type OwnProcessOptions = {
  /** For V8 and Node, besides those that this process was started with. */
  readonly flags: readonly string[]
  /** This process's own unless given. */
  readonly env?: NodeJS.ProcessEnv
  /** With a channel: `ipc`. */
  readonly stdio: StdioOptions
}

/**
 * Starts this same program as another process, with a channel that copies what it carries as structuredClone does.
 *
 * @param program the path of the script to start. A single executable holds it, and starts itself.
 * @param args the command, and its arguments.
 */
export function startOwnProcess(
  program: string,
  args: readonly string[],
  { flags, env, stdio }: OwnProcessOptions,
): ChildProcess {
  const execArgv = [...process.execArgv, ...flags]
  const options = { serialization: 'advanced', stdio, ...(env && { env }) } as const
  if (!isSea()) return fork(program, args, { ...options, execArgv })
  if (isOfPkg) return spawn(process.execPath, args, { ...options, env: withFlags(env ?? process.env, flags) })
  return spawn(process.execPath, [`--node-options=${execArgv.map(quote).join(' ')}`, ...args], options)
}

/** Made by `pkg`, whose executables take flags from the environment alone, as a single executable does unless told otherwise. */
const isOfPkg = 'pkg' in process

/** Those flags that the environment may hold: without the others a worker costs somewhat more CPU time. */
function withFlags(env: NodeJS.ProcessEnv, flags: readonly string[]): NodeJS.ProcessEnv {
  const allowed = flags.filter((flag) => process.allowedNodeEnvironmentFlags.has(flag))
  return { ...env, NODE_OPTIONS: [env.NODE_OPTIONS, ...allowed.map(quote)].join(' ') }
}

/** One option of a list that Node splits at spaces, as it splits NODE_OPTIONS. */
function quote(option: string): string {
  return /[\s"\\]/.test(option) ? `"${option.replace(/["\\]/g, '\\$&')}"` : option
}
