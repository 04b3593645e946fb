import { ConfigError, formatProblem } from '../config/problem.ts'
import { NO_SUCH_FILE } from '../config/text-file.ts'
import { CastellanError } from '../errors.ts'
import { escapeControls } from '../telemetry/line-log.ts'

/** Says on standard error what has failed, and gives the exit code for it. What is no CastellanError is thrown on. */
export function tellFailure(error: unknown): number {
  if (!(error instanceof CastellanError)) throw error
  const message = error instanceof ConfigError ? listProblems(error) : escapeControls(error.message)
  process.stderr.write(`castellan: ${message}\n`)
  return 1
}

function listProblems({ problems }: ConfigError): string {
  const count = problems.length === 1 ? 'a problem' : `${problems.length} problems`
  const lines = problems.map((problem) => `  ${formatProblem(problem)}`)
  // Whoever has none yet is at the very beginning.
  if (problems[0]?.found === `cannot be read: ${NO_SUCH_FILE}`)
    lines.push('"castellan help" shows the shortest config that works, and how to do without a file.')
  return `the config has ${count}:\n${lines.join('\n')}`
}
