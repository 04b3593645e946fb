import { describeSource } from '../config/config-source.ts'
import { loadConfig } from '../config/load.ts'
import { ConfigError, formatProblem } from '../config/problem.ts'
import { configArgument } from './config-argument.ts'

/** `castellan validate [CONFIG]`: prints every problem, a line each, and what deserves a second thought. */
export async function validate(args: readonly string[]): Promise<number> {
  const file = configArgument('validate', args)
  if (file === undefined) return 2
  try {
    const { config, warnings } = await loadConfig({ file, env: process.env, isThorough: true })
    for (const warning of warnings) process.stdout.write(`warning: ${formatProblem(warning)}\n`)
    const sites = config.sites.length === 1 ? '1 site' : `${config.sites.length} sites`
    process.stdout.write(`${describeSource(file)} is good: ${sites}\n`)
    return 0
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    for (const problem of error.problems) process.stdout.write(`${formatProblem(problem)}\n`)
    return 1
  }
}
