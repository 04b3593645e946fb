import { describeError } from '../errors.ts'
import type { Storage } from '../storage/storage.ts'
import { type Clock, pause } from '../system/clock.ts'
import type { Random } from '../system/random.ts'
import type { Log } from '../telemetry/log.ts'
import { Board, type Change, type Telling, WHOLE } from './board.ts'
import type { Channel } from './channel.ts'
import { Outbox } from './outbox.ts'
import { loadNotices, type StoredNotice, storeNotice, type Undelivered } from './stored-notice.ts'
import type { Notice, NoticeState, Trouble } from './trouble.ts'
import { inOneLine, noticeOf, testNotice } from './wording.ts'

/** Looks for itself how it stands with what a trouble is about, in sentences. Never rejects, and takes seconds at most. */
export type Look = (trouble: Trouble, signal: AbortSignal) => Promise<readonly string[]>

export type NoticesOptions = {
  readonly storage: Storage
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Besides the log. */
  readonly channels: readonly Channel[]
  readonly look: Look
  /** What this machine is called. */
  readonly machine: string
}

/** How a test notice fared on one channel; without an error it was sent. */
export type TestResult = { readonly channel: string; readonly error: string | undefined }

/** Even with nothing due it looks this often, as clocks are set and machines sleep. */
const MAX_SLEEP_MS = 60 * 60 * 1000
/** Looks at a time; what comes beyond is told without. */
const MAX_LOOKS = 10

const EVENTS: Record<Exclude<NoticeState, 'test'>, string> = {
  raised: 'notice-raised',
  worse: 'notice-worse',
  reminder: 'notice-reminder',
  over: 'notice-over',
}

/** Takes up what was told before a restart, and what had not reached its channel. Throws StorageError `storage-unreadable`. */
export async function openNotices(options: NoticesOptions): Promise<Notices> {
  const notices = new Notices(options, await loadNotices(options.storage))
  notices.start()
  return notices
}

/**
 * What a person must act on, told once for each thing: to the log, and to every channel. What was told is kept over restarts.
 * None of its methods waits for anything but `stop` and `test`.
 */
export class Notices {
  readonly #options: NoticesOptions
  readonly #board: Board
  #outboxes: readonly Outbox[]
  #channels: readonly Channel[]
  readonly #undelivered = new Map<string, Undelivered>()
  /** By key: what is told of one thing is told in order, and stored in order. */
  readonly #telling = new Map<string, Promise<void>>()
  /** What the storage did not take. */
  readonly #unstored = new Set<string>()
  readonly #stopping = new AbortController()
  #looks = 0
  #wake = new AbortController()
  #wakeAt = 0
  #running: Promise<void> = Promise.resolve()

  constructor(options: NoticesOptions, stored: readonly StoredNotice[] = []) {
    this.#options = options
    this.#board = new Board(stored.flatMap(({ thing }) => thing ?? []))
    this.#channels = options.channels
    this.#outboxes = this.#outboxesFor(options.channels)
    for (const { key, undelivered } of stored) if (undelivered !== undefined) this.#deliverAgain(key, undelivered)
  }

  /** Tells by these channels from now on. What has not reached one of the former is sent by those that still are. */
  async useChannels(channels: readonly Channel[]): Promise<void> {
    const former = this.#outboxes
    this.#channels = channels
    this.#outboxes = this.#outboxesFor(channels)
    await Promise.all(former.map((outbox) => outbox.stop()))
    const undelivered = [...this.#undelivered]
    this.#undelivered.clear()
    for (const outbox of this.#outboxes) outbox.start()
    for (const [key, each] of undelivered) {
      this.#deliverAgain(key, each)
      this.#take(key, { isChanged: true })
    }
  }

  #outboxesFor(channels: readonly Channel[]): Outbox[] {
    const onDone = (channel: string, notices: readonly Notice[]): void => this.#delivered(channel, notices)
    return channels.map((channel) => new Outbox(channel, { ...this.#options, onDone }))
  }

  /** The keys of all things that are wrong. */
  get open(): readonly string[] {
    return this.#board.keys
  }

  /** The parts of a thing that is wrong. */
  partsOf(key: string): readonly string[] {
    return Object.keys(this.#board.get(key)?.parts ?? {})
  }

  /** What was last heard of a thing that has no parts. */
  troubleOf(key: string): Trouble | undefined {
    return this.#board.get(key)?.parts[WHOLE]
  }

  start(): void {
    for (const outbox of this.#outboxes) outbox.start()
    this.#running = this.#run()
  }

  /** @param key two segments of a storage key. */
  raise(key: string, trouble: Trouble, part = WHOLE): void {
    this.#take(key, this.#board.raise(key, part, trouble, this.#options.clock.now()))
    if (this.#board.nextAt < this.#wakeAt) this.#wake.abort()
  }

  /** It is well again; without a part, all of it. */
  withdraw(key: string, part?: string): void {
    this.#take(key, this.#board.withdraw(key, part))
  }

  /** Nobody asks for it any more, so that it is over. */
  drop(key: string, part: string): void {
    const { isChanged, telling } = this.#board.withdraw(key, part)
    this.#take(key, { isChanged, ...(telling && { telling: { ...telling, isGone: true } }) })
  }

  /** Sends a test notice to every channel, and gives each result when it is known. */
  async *test(): AsyncGenerator<TestResult> {
    const { clock, machine } = this.#options
    yield* testChannels(this.#channels, testNotice(machine, clock.now()), this.#stopping.signal)
  }

  /** What has not been sent is sent after the next start. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await Promise.all([this.#running, ...this.#outboxes.map((outbox) => outbox.stop())])
    await Promise.all(this.#telling.values())
  }

  async #run(): Promise<void> {
    const { clock } = this.#options
    while (!this.#stopping.signal.aborted) {
      this.#wake = new AbortController()
      const now = clock.now()
      for (const { key, telling } of this.#board.due(now)) this.#take(key, { isChanged: true, telling })
      this.#wakeAt = Math.min(this.#board.nextAt, now + MAX_SLEEP_MS)
      await pause(clock, this.#wakeAt - now, this.#wake.signal, this.#stopping.signal)
    }
  }

  #take(key: string, { isChanged, telling }: Change): void {
    if (!isChanged) return
    const before = this.#telling.get(key) ?? Promise.resolve()
    const after = before.then(async () => {
      if (telling !== undefined) await this.#tell(key, telling)
      await this.#save(key)
      if (this.#telling.get(key) === after) this.#telling.delete(key)
    })
    this.#telling.set(key, after)
  }

  async #tell(key: string, telling: Telling): Promise<void> {
    const { clock } = this.#options
    const seen = telling.state === 'over' ? [] : await this.#lookAt(telling.trouble)
    const notice = noticeOf(key, telling, seen, clock.now())
    this.#toLog(notice)
    if (this.#outboxes.length === 0) return
    this.#undelivered.set(key, { notice, channels: this.#outboxes.map(({ name }) => name) })
    for (const outbox of this.#outboxes) outbox.push(notice)
  }

  async #lookAt(trouble: Trouble): Promise<readonly string[]> {
    if (this.#looks >= MAX_LOOKS) return []
    this.#looks++
    try {
      return await this.#options.look(trouble, this.#stopping.signal)
    } finally {
      this.#looks--
    }
  }

  #toLog(notice: Notice): void {
    const { log } = this.#options
    const { id, state, kind, severity, names } = notice
    if (state === 'test') return
    const entry = [EVENTS[state], `Notice: ${inOneLine(notice)}`, { notice: id, kind, names }] as const
    if (state === 'over') log.info(...entry)
    else if (severity === 'error') log.error(...entry)
    else log.warn(...entry)
  }

  #delivered(channel: string, notices: readonly Notice[]): void {
    for (const notice of notices) {
      const waiting = this.#undelivered.get(notice.id)
      // A later notice of the same thing waits by itself.
      if (waiting?.notice !== notice) continue
      const channels = waiting.channels.filter((name) => name !== channel)
      if (channels.length > 0) this.#undelivered.set(notice.id, { notice, channels })
      else this.#undelivered.delete(notice.id)
      this.#take(notice.id, { isChanged: true })
    }
  }

  /** To those of its channels that there still are. */
  #deliverAgain(key: string, { notice, channels }: Undelivered): void {
    const outboxes = this.#outboxes.filter(({ name }) => channels.includes(name))
    if (outboxes.length === 0) return
    this.#undelivered.set(key, { notice, channels: outboxes.map(({ name }) => name) })
    for (const outbox of outboxes) outbox.push(notice)
  }

  /** A storage that does not take it is told of by whoever watches the storage; what it did not take is stored later. */
  async #save(key: string): Promise<void> {
    const { storage, log } = this.#options
    this.#unstored.add(key)
    for (const each of [...this.#unstored]) {
      const stored = { key: each, thing: this.#board.get(each), undelivered: this.#undelivered.get(each) }
      try {
        await storeNotice(storage, stored)
        this.#unstored.delete(each)
      } catch (error) {
        log.debug('notice-not-stored', describeError(error), { notice: each })
        return
      }
    }
  }
}

/** Sends one notice to each channel at the same time, and gives each result when it is known. */
export async function* testChannels(
  channels: readonly Channel[],
  notice: Notice,
  signal: AbortSignal,
): AsyncGenerator<TestResult> {
  const pending = new Map(channels.map((channel) => [channel.name, tryChannel(channel, notice, signal)]))
  while (pending.size > 0) {
    const result = await Promise.race(pending.values())
    pending.delete(result.channel)
    yield result
  }
}

async function tryChannel(channel: Channel, notice: Notice, signal: AbortSignal): Promise<TestResult> {
  try {
    await channel.send([notice], signal)
    return { channel: channel.name, error: undefined }
  } catch (error) {
    return { channel: channel.name, error: describeError(error) }
  }
}
