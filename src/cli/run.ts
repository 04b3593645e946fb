import { once } from 'node:events'
import { isatty } from 'node:tty'
import { setFlagsFromString } from 'node:v8'
import type { Config } from '../config/config.ts'
import type { LoadedConfig } from '../config/load.ts'
import { loadConfigApart } from '../config/load-apart.ts'
import { formatProblem } from '../config/problem.ts'
import { describeError } from '../errors.ts'
import { type Heritage, receiveHeritage } from '../supervisor/heritage.ts'
import { type Running, startCastellan } from '../supervisor/supervisor.ts'
import { systemClock } from '../system/clock.ts'
import { systemRandom } from '../system/random.ts'
import { ChangeableLog } from '../telemetry/changeable-log.ts'
import { createLineLog } from '../telemetry/line-log.ts'
import type { Log, LogFormat } from '../telemetry/log.ts'
import { createLineWriter, linesLost } from '../telemetry/standard-output.ts'
import { configArgument } from './config-argument.ts'
import { tellFailure } from './failure.ts'
import { Signals } from './signals.ts'

/** `castellan run [CONFIG]`: serves until SIGTERM or SIGINT. */
export async function run(args: readonly string[]): Promise<number> {
  const file = configArgument('run', args)
  return file === undefined ? 2 : runConfig(file)
}

/** Serves what a config says, which may be `env:`, until SIGTERM or SIGINT. */
export async function runConfig(file: string): Promise<number> {
  // This process serves nobody, and makes little garbage at a time: room for a megabyte of it is enough.
  setFlagsFromString('--semi-space-growth-factor=1')
  let heritage: Heritage | undefined
  try {
    heritage = await receiveHeritage(process.env)
    const loaded = await loadConfigApart(process.argv[1]!, file)
    const log = new ChangeableLog(createLog(loaded.config))
    for (const warning of loaded.warnings) log.warn('config-warning', formatProblem(warning))
    return await serve(file, loaded, log, heritage)
  } catch (error) {
    await heritage?.failed(describeError(error))
    return tellFailure(error)
  }
}

async function serve(
  file: string,
  { config, sources }: LoadedConfig,
  log: ChangeableLog,
  heritage: Heritage | undefined,
): Promise<number> {
  let running: Running | undefined
  let isReloadAsked = false
  let hasHandedOver = false
  using signals = new Signals({
    log,
    now: () => performance.now(),
    onTerminal: isatty(0),
    onReopen: () => running?.reopenLogs(),
    onReload: () => {
      // Whoever asks while it starts has it done after that.
      isReloadAsked = running === undefined
      running?.reopenLogs()
      void running?.reload()
    },
    onUpgrade: () => void running?.upgrade(),
    // Workers that this leaves behind notice, and go.
    onSecond: () => {
      running?.kill()
      process.exit(1)
    },
  })
  const { asked } = signals
  try {
    const program = process.argv[1]!
    const surroundings = { clock: systemClock, random: systemRandom, program, signal: asked }
    running = await startCastellan({
      ...{ config, sources, log, logFormatOf, heritage, ...surroundings },
      loadAgain: () => loadConfigApart(program, file, { isThorough: true }),
      onConfig: (next) => log.use(createLog(next)),
    })
    if (isReloadAsked) void running.reload()
    if (!asked.aborted) await Promise.race([once(asked, 'abort'), running.handedOver])
    hasHandedOver = !asked.aborted
    if (hasHandedOver) await Promise.race([once(asked, 'abort'), running.finish()])
    await running.stop()
  } catch (error) {
    // Stopped while it was starting: all that had been taken is given back.
    if (!asked.aborted || error !== asked.reason) throw error
  }
  log.info('stopped', 'Stopped.')
  // In an orderly end Node would close the sockets, and with them remove the files of those that another listens on now.
  if (hasHandedOver) process.exit(0)
  return 0
}

function logFormatOf({ log: { format } }: Config): LogFormat {
  if (format !== 'auto') return format
  return process.stdout.isTTY ? 'text' : 'json'
}

function createLog(config: Config): Log {
  const write = createLineWriter(process.stdout, (lines) => log.warn(...linesLost(lines)))
  const log = createLineLog({ level: config.log.level, format: logFormatOf(config), clock: systemClock, write })
  return log
}
