import { realpathSync } from 'node:fs'
import type { ConfigChanges, ConfigReply } from '../admin/config-reply.ts'
import type { Config } from '../config/config.ts'
import { describeSource } from '../config/config-source.ts'
import type { LoadedConfig } from '../config/load.ts'
import { ConfigError, formatProblem } from '../config/problem.ts'
import { CastellanError, describeError } from '../errors.ts'
import type { Log } from '../telemetry/log.ts'
import { isNothing } from './config-changes.ts'
import { inWords } from './config-changes-in-words.ts'
import type { ControlPlane } from './control-plane.ts'

export type ReloadsOptions = {
  /** Reads the config anew, and whole. Rejects with ConfigError. */
  readonly load: () => Promise<LoadedConfig>
  /** The same where it is only looked at. */
  readonly peek: () => Promise<LoadedConfig>
  /** A config is in use from now on. */
  readonly onConfig: (config: Config) => void
  /** undefined while there is none: the program starts, stops or hands over. */
  readonly plane: () => Pick<ControlPlane, 'care' | 'foresee' | 'reload'> | undefined
  readonly log: Log
}

/**
 * Goes over to the config as it is on the disk, one reload at a time. Whoever asks during one waits for the next, and shares
 * it with all others who do: it begins after they asked, so that what they have written is in it.
 */
export class Reloads {
  readonly #options: ReloadsOptions
  readonly #stopping = new AbortController()
  #running: Promise<unknown> = Promise.resolve()
  #next: Promise<ConfigReply> | undefined

  constructor(options: ReloadsOptions) {
    this.#options = options
  }

  reload(file?: string): Promise<ConfigReply> {
    const other = this.#refuseOther(file)
    if (other !== undefined) return Promise.resolve(other)
    if (this.#next !== undefined) return this.#next
    const next = this.#inTurn(() => {
      this.#next = undefined
      return this.#attempt()
    })
    this.#next = next
    return next
  }

  async foresee(file?: string): Promise<ConfigReply> {
    const other = this.#refuseOther(file)
    if (other !== undefined) return other
    return this.#inTurn(() =>
      this.#try(this.#options.peek, (plane, config) => plane.foresee(config, this.#stopping.signal)),
    )
  }

  /** Who means another file would wonder why it changes nothing. */
  #refuseOther(file: string | undefined): ConfigReply | undefined {
    const own = this.#options.plane()?.care.config.file
    if (file === undefined || own === undefined || real(file) === real(own)) return undefined
    return refused(
      `The program that runs has its config from ${describeSource(own)}, and not from ${describeSource(file)}.`,
    )
  }

  /** Runs this when no reload is under way, and lets none begin until it has ended. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#running.then(work)
    this.#running = done.catch(() => {})
    return done
  }

  /** For work during which the config must stay as it is, and which is to end when this is stopped. */
  exclusively<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return this.#inTurn(() => work(this.#stopping.signal))
  }

  /** Gives up what is under way, and resolves when it has ended. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }

  async #attempt(): Promise<ConfigReply> {
    const { log, load, onConfig } = this.#options
    const reply = await this.#try(load, async (plane, config) => {
      const changes = await plane.reload(config, this.#stopping.signal)
      onConfig(config)
      return changes
    })
    if (reply.status === 'refused')
      log.error('reload-failed', `The config was not taken up, and the former one stays in use: ${reply.reason}`)
    else {
      for (const warning of reply.warnings) log.warn('config-warning', warning)
      const changes = isNothing(reply.changes) ? 'nothing has changed' : inWords(reply.changes, 'done').join('; ')
      log.info('reloaded', `The config was taken up: ${changes}.`)
    }
    return reply
  }

  async #try(load: ReloadsOptions['load'], act: (plane: Plane, config: Config) => Promise<ConfigChanges>) {
    const plane = this.#options.plane()
    if (plane === undefined || this.#stopping.signal.aborted)
      return refused('The program is starting, stopping or handing over to another.')
    try {
      const { config, warnings } = await load()
      const changes = await act(plane, config)
      return { status: 'well', changes, warnings: warnings.map(formatProblem) } as const
    } catch (error) {
      if (this.#stopping.signal.aborted) return refused('The program is stopping.')
      if (error instanceof ConfigError)
        return { ...refused(error.message), problems: error.problems.map(formatProblem) }
      if (!(error instanceof CastellanError)) this.#options.log.error('reload-exception', describeError(error))
      return refused(describeError(error))
    }
  }
}

type Plane = NonNullable<ReturnType<ReloadsOptions['plane']>>

function real(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}

function refused(reason: string): Extract<ConfigReply, { status: 'refused' }> {
  return { status: 'refused', reason, problems: [] }
}
