import { asSentence, describeError } from '../errors.ts'
import { type Clock, pause } from '../system/clock.ts'
import { jittered, type Random } from '../system/random.ts'
import type { Log } from '../telemetry/log.ts'
import type { Channel } from './channel.ts'
import type { Notice } from './trouble.ts'

const MINUTE_MS = 60_000
/** Between tries: twice as long each time. */
const FIRST_WAIT_MS = 10_000
const MAX_WAIT_MS = 10 * MINUTE_MS
/** Of each wait, up or down. */
const JITTER = 0.1
/** Whoever can be told nothing for a day finds out in another way. */
const MAX_AGE_MS = 24 * 60 * MINUTE_MS
/** More than a person reads; 1 MB at the most. */
const MAX_WAITING = 500
const MAX_TOGETHER = 50

export type OutboxOptions = {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** These have been sent, or given up. */
  readonly onDone: (channel: string, notices: readonly Notice[]) => void
}

type Waiting = { readonly notice: Notice; readonly since: number }

/** The notices that wait for one channel. Nobody waits for it; it tries for a day, and keeps no more than 500. */
export class Outbox {
  readonly #channel: Channel
  readonly #options: OutboxOptions
  readonly #stopping = new AbortController()
  #waiting: Waiting[] = []
  #failures = 0
  #hasGivenUp = false
  #wake = Promise.withResolvers<void>()
  #running: Promise<void> = Promise.resolve()

  constructor(channel: Channel, options: OutboxOptions) {
    this.#channel = channel
    this.#options = options
  }

  get name(): string {
    return this.#channel.name
  }

  push(notice: Notice): void {
    this.#waiting.push({ notice, since: this.#options.clock.now() })
    if (this.#waiting.length > MAX_WAITING) this.#giveUp(1, `more than ${MAX_WAITING} wait, and the oldest make room`)
    this.#wake.resolve()
  }

  start(): void {
    this.#running = this.#run()
  }

  /** Gives up what is under way; what waits was not sent. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#wake.resolve()
    await this.#running
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping
    while (!signal.aborted) {
      if (this.#waiting.length === 0) {
        this.#wake = Promise.withResolvers()
        await this.#wake.promise
        await this.#pause(this.#channel.gatherMs)
      }
      if (!signal.aborted && this.#waiting.length > 0) await this.#send()
    }
  }

  async #send(): Promise<void> {
    const some = this.#waiting.slice(0, MAX_TOGETHER)
    const notices = some.map(({ notice }) => notice)
    try {
      await this.#channel.send(notices, this.#stopping.signal)
    } catch (error) {
      if (!this.#stopping.signal.aborted) await this.#fail(error)
      return
    }
    if (this.#failures > 0)
      this.#options.log.info('notify-works', `Notices go to ${this.name} again.`, { channel: this.name })
    this.#failures = 0
    this.#hasGivenUp = false
    this.#waiting = this.#waiting.filter((each) => !some.includes(each))
    this.#options.onDone(this.name, notices)
  }

  /** Said once, until it works again. */
  async #fail(error: unknown): Promise<void> {
    const { clock, random, log } = this.#options
    if (this.#failures++ === 0) {
      const message = `Notices do not reach ${this.name}: ${asSentence(describeError(error))} It is tried again for a day.`
      log.warn('notify-failed', message, { channel: this.name })
    }
    const old = clock.now() - MAX_AGE_MS
    const tooOld = this.#waiting.filter(({ since }) => since <= old).length
    if (tooOld > 0) this.#giveUp(tooOld, 'a day of tries was in vain')
    await this.#pause(jittered(Math.min(FIRST_WAIT_MS * 2 ** (this.#failures - 1), MAX_WAIT_MS), JITTER, random))
  }

  /** Said once, until it works again: there may be thousands. */
  #giveUp(count: number, why: string): void {
    const lost = this.#waiting.splice(0, count).map(({ notice }) => notice)
    const message = `Some notices will not reach ${this.name}, as ${why}; the log has them all.`
    if (!this.#hasGivenUp) this.#options.log.warn('notify-given-up', message, { channel: this.name })
    this.#hasGivenUp = true
    this.#options.onDone(this.name, lost)
  }

  #pause(ms: number): Promise<void> {
    return pause(this.#options.clock, ms, this.#stopping.signal)
  }
}
