import type { LookupFunction } from 'node:net'
import { describeError } from '../../errors.ts'
import { type Clock, pause } from '../../system/clock.ts'
import { jittered, type Random } from '../../system/random.ts'
import type { Log } from '../../telemetry/log.ts'

export type AddressWatchOptions = {
  readonly lookup: LookupFunction
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** A name leads elsewhere now. */
  readonly onChange: () => void
}

/** Orchestrators change addresses in seconds; and who answers keeps an answer for as long as it may. */
const EVERY_MS = 10_000
const JITTER = 0.1

/** Keeps the addresses of names each of whose addresses counts. One that cannot be resolved keeps those it had. */
export class AddressWatch {
  readonly #options: AddressWatchOptions
  readonly #addresses = new Map<string, readonly string[]>()
  /** Aborted when a name is not watched any more. */
  readonly #watched = new Map<string, AbortController>()

  constructor(options: AddressWatchOptions) {
    this.#options = options
  }

  /** By name, as far as they are known. */
  get addresses(): Record<string, readonly string[]> {
    return Object.fromEntries(this.#addresses)
  }

  /** Takes over what others have found, until it is known better. */
  inherit(addresses: Readonly<Record<string, readonly string[]>>): void {
    for (const [name, found] of Object.entries(addresses)) this.#addresses.set(name, found)
  }

  /** From now on these are watched; what is known of those that were before is kept. */
  use(names: ReadonlySet<string>): void {
    for (const [name, watching] of this.#watched) {
      if (names.has(name)) continue
      watching.abort()
      this.#watched.delete(name)
    }
    for (const name of this.#addresses.keys()) if (!names.has(name)) this.#addresses.delete(name)
    for (const name of names) {
      if (this.#watched.has(name)) continue
      const watching = new AbortController()
      this.#watched.set(name, watching)
      void this.#watch(name, watching.signal)
    }
  }

  stop(): void {
    this.use(new Set())
  }

  async #watch(name: string, signal: AbortSignal): Promise<void> {
    const { clock, random, log, onChange } = this.#options
    for (let hasFailed = false; !signal.aborted; await pause(clock, jittered(EVERY_MS, JITTER, random), signal)) {
      try {
        const found = await this.#resolve(name)
        hasFailed = false
        if (signal.aborted || String(found) === String(this.#addresses.get(name))) continue
        this.#addresses.set(name, found)
        log.info('upstream-addresses', `${name} is ${found.join(', ')} now.`, { name, addresses: found })
        onChange()
      } catch (error) {
        const message = `The addresses of ${name} cannot be found, and those that it had are kept: ${describeError(error)}`
        if (!hasFailed) log.warn('upstream-name-failed', message, { name })
        hasFailed = true
      }
    }
  }

  /** Sorted, for the order in which name servers give them means nothing. Rejects rather than give none. */
  #resolve(name: string): Promise<string[]> {
    return new Promise((resolve, reject) => {
      this.#options.lookup(name, { all: true }, (error, found) => {
        if (error !== null) return reject(error)
        const addresses = (Array.isArray(found) ? found : []).map(({ address }) => address).sort()
        if (addresses.length === 0) return reject(new Error('It has none.'))
        resolve(addresses)
      })
    })
  }
}
