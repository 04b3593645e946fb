import { startOwnProcess } from '../system/own-process.ts'
import type { LoadedConfig } from './load.ts'
import { ConfigError, type ConfigProblem, type ConfigSources } from './problem.ts'

/** What the process that reads a config says of it, once. */
export type LoadReport =
  | { readonly loaded: LoadedConfig }
  | { readonly file: string; readonly problems: readonly ConfigProblem[]; readonly sources: ConfigSources }

/** What is read lives until all of it is checked, so that collecting it young is mostly copying: room for it, and less of that. */
const V8_FLAGS = ['--min-semi-space-size=64', '--max-semi-space-size=64']

/**
 * Reads a config as loadConfig does, with this process's environment, in a process that ends with it: the tree of a YAML
 * file with 5,000 sites, and what reads and checks it, take 100 MB, which one that runs for months would hold on to.
 *
 * @param program the path of the script that starts this program, with `load-config` as its command.
 * @param how `isThorough` as for loadConfig.
 */
export function loadConfigApart(program: string, file: string, how = { isThorough: false }): Promise<LoadedConfig> {
  const child = startOwnProcess(program, ['load-config', file, ...(how.isThorough ? ['thoroughly'] : [])], {
    flags: V8_FLAGS,
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  return new Promise((resolve, reject) => {
    child.once('message', (message) => {
      const report = message as LoadReport
      if ('loaded' in report) resolve(report.loaded)
      else reject(new ConfigError(report.file, report.problems, report.sources))
    })
    child.once('error', reject)
    child.once('close', (code, signal) =>
      reject(new Error(`The process that reads the config ended early (${signal ?? `exit code ${code}`}).`)),
    )
  })
}
