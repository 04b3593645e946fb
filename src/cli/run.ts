import type { Config } from '../config/config.ts'
import { loadConfig } from '../config/load.ts'
import { ConfigError, formatProblem } from '../config/problem.ts'
import { CastellanError } from '../errors.ts'
import { type Running, startCastellan } from '../supervisor/supervisor.ts'
import { systemClock } from '../system/clock.ts'
import { systemRandom } from '../system/random.ts'
import { createLineLog } from '../telemetry/line-log.ts'
import type { Log, LogFormat } from '../telemetry/log.ts'
import { configArgument } from './config-argument.ts'

/** `castellan run [CONFIG]`: serves until SIGTERM or SIGINT. */
export async function run(args: readonly string[]): Promise<number> {
  const file = configArgument('run', args)
  if (file === undefined) return 2
  try {
    const { config, warnings } = await loadConfig({ file, env: process.env })
    const logFormat = config.log.format === 'auto' ? formatForOutput() : config.log.format
    const log = createLog(config, logFormat)
    for (const warning of warnings) log.warn('config-warning', formatProblem(warning))
    return await serve(config, log, logFormat)
  } catch (error) {
    if (!(error instanceof CastellanError)) throw error
    process.stderr.write(`castellan: ${error instanceof ConfigError ? listProblems(error) : error.message}\n`)
    return 1
  }
}

async function serve(config: Config, log: Log, logFormat: LogFormat): Promise<number> {
  const stopped = Promise.withResolvers<number>()
  const running = startCastellan({
    config,
    log,
    logFormat,
    clock: systemClock,
    random: systemRandom,
    program: process.argv[1]!,
  })
  const stop = stopOnSignals(running, log, stopped)
  try {
    await running
    return await stopped.promise
  } finally {
    for (const signal of STOP_SIGNALS) process.off(signal, stop)
  }
}

const STOP_SIGNALS = ['SIGTERM', 'SIGINT'] as const

/** The first signal drains, the second ends at once: an operator who asks twice means it. */
function stopOnSignals(starting: Promise<Running>, log: Log, stopped: PromiseWithResolvers<number>): () => void {
  let isStopping = false
  const stop = (): void => {
    if (isStopping) {
      log.warn('killed', 'Ending at once, as asked twice.')
      void starting.then((running) => running.kill()).finally(() => process.exit(1))
      return
    }
    isStopping = true
    log.info('stopping', 'Finishing what is being served. A second signal ends at once.')
    starting
      .then((running) => running.stop())
      .then(() => {
        log.info('stopped', 'Stopped.')
        stopped.resolve(0)
      })
      .catch(stopped.reject)
  }
  for (const signal of STOP_SIGNALS) process.on(signal, stop)
  return stop
}

function formatForOutput(): LogFormat {
  return process.stdout.isTTY ? 'text' : 'json'
}

function createLog(config: Config, format: LogFormat): Log {
  const write = (line: string): void => {
    process.stdout.write(line)
  }
  return createLineLog({ level: config.log.level, format, clock: systemClock, write })
}

function listProblems({ problems }: ConfigError): string {
  const count = problems.length === 1 ? 'a problem' : `${problems.length} problems`
  return `the config has ${count}:\n${problems.map((problem) => `  ${formatProblem(problem)}`).join('\n')}`
}
