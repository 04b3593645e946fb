import { globSync, statSync } from 'node:fs'
import type { LoadedConfig } from '../config/load.ts'
import { ConfigError, type ConfigSources } from '../config/problem.ts'
import { errorCode } from '../errors.ts'
import { type Clock, pause } from '../system/clock.ts'

/** Between two looks, unless they take long: Caddy looks every second, too. */
const INTERVAL_MS = 1_000
/** Of the time, at the most: thousands of included files take some milliseconds a look. */
const SHARE = 1 / 100

export type ConfigWatchOptions = {
  readonly clock: Clock
  /** Milliseconds from any start, to know what a look costs. */
  readonly elapsed: () => number
  /** They have changed, and have been the same for two looks since. Never rejects. */
  readonly onChange: () => Promise<unknown>
}

/** What a file was at a look, by its path; a file that is not there is another thing than one that is. */
type Sight = ReadonlyMap<string, string>

/**
 * Watches the files that a config is made of, by looking at them: that sees whatever brings a change about, be it an editor
 * that renames, Kubernetes that changes a symbolic link above them, or another machine that shares the folder. A change is
 * told once nothing has moved for a while, so that nobody reads a file that is half written.
 */
export class ConfigWatch {
  readonly #options: ConfigWatchOptions
  #sources: ConfigSources
  #known: Sight
  /** Aborted when nothing is watched any more; undefined while that is so. */
  #watching: AbortController | undefined
  #running: Promise<void> = Promise.resolve()

  constructor(sources: ConfigSources, options: ConfigWatchOptions) {
    this.#options = options
    this.#sources = sources
    this.#known = look(sources)
  }

  /** Whether changes are told of from now on. */
  turn(isOn: boolean): void {
    if (isOn === (this.#watching !== undefined)) return
    this.#watching?.abort()
    this.#watching = isOn ? new AbortController() : undefined
    if (this.#watching === undefined) return
    const { signal } = this.#watching
    this.#running = this.#running.then(() => this.#watch(signal))
  }

  /** To be called when no reload is under way, as it waits for one that it has begun. */
  async stop(): Promise<void> {
    this.turn(false)
    await this.#running
  }

  /** Reads the config with this, and watches from then on what it has read, good or not. What changes meanwhile is a change. */
  async load(load: () => Promise<LoadedConfig>): Promise<LoadedConfig> {
    const before = look(this.#sources)
    try {
      const loaded = await load()
      this.#take(loaded.sources, before)
      return loaded
    } catch (error) {
      if (error instanceof ConfigError) this.#take(error.sources, before)
      throw error
    }
  }

  #take(sources: ConfigSources, before: Sight): void {
    const files = new Set(sources.files)
    this.#sources = sources
    this.#known = new Map([...look(sources), ...[...before].filter(([path]) => files.has(path))])
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { clock, elapsed, onChange } = this.#options
    let former: Sight | undefined
    let costMs = 0
    while (!signal.aborted) {
      await pause(clock, Math.max(INTERVAL_MS, costMs / SHARE), signal)
      if (signal.aborted) return
      const began = elapsed()
      const now = look(this.#sources)
      costMs = elapsed() - began
      const isSettled = former !== undefined && isSame(former, now)
      former = now
      if (!isSettled || isSame(this.#known, now)) continue
      this.#known = now
      await onChange()
    }
  }
}

function look({ files, patterns }: ConfigSources): Sight {
  const paths = new Set([...files, ...patterns.flatMap((pattern) => globSync(pattern))])
  return new Map([...paths].map((path) => [path, versionOf(path)]))
}

/** Through symbolic links. */
function versionOf(path: string): string {
  try {
    const { dev, ino, size, mtimeMs, ctimeMs } = statSync(path)
    return `${dev} ${ino} ${size} ${mtimeMs} ${ctimeMs}`
  } catch (error) {
    return errorCode(error) ?? 'absent'
  }
}

function isSame(one: Sight, other: Sight): boolean {
  return one.size === other.size && [...one].every(([path, version]) => other.get(path) === version)
}
