import { closeSync, openSync, write } from 'node:fs'
import { asSentence, CastellanError, describeError, errorCode } from '../errors.ts'
import type { Clock } from '../system/clock.ts'

/** The file of a log cannot be opened (`facts.path`). */
export class LogFileError extends CastellanError {
  declare readonly code: 'log-file-unwritable'
}

/** Lines that wait for a disk that is behind. Beyond this, memory matters more than the log. */
const MAX_WAITING_CHARACTERS = 4 * 1024 * 1024

/**
 * For how long lines are gathered: one by one, or a few at a time, they cost 1.4 to 5 us each, so 0.3 to 1.1. Nobody who
 * watches a log sees the difference.
 */
const GATHERING_MS = 20
/** With this much, no more is waited for. */
const MAX_GATHERED_CHARACTERS = 512 * 1024

/** The owner writes; a group may be given the log to read. */
const MODE = 0o640

/**
 * A log in a file. Lines are gathered for a moment, and while the disk takes those before them, so that a busy log costs few writes and never
 * waits; several processes may write to the same file, as each write appends whole lines.
 */
export class LogFile {
  readonly #path: string
  readonly #clock: Pick<Clock, 'sleep'>
  readonly #onTrouble: (message: string) => void
  /** undefined while it cannot be opened. */
  #fd: number | undefined
  #waiting = ''
  #isWriting = false
  #isGathering = false
  #mustReopen = false
  #lost = 0
  #inTrouble = false
  #onIdle: (() => void) | undefined

  /**
   * The file is opened, or made, with the first line; `clock` tells when a line has waited for long enough. `onTrouble` is told in a sentence when lines cannot be written, once
   * until they can be again: serving goes on without them.
   */
  constructor(path: string, clock: Pick<Clock, 'sleep'>, onTrouble: (message: string) => void) {
    this.#path = path
    this.#clock = clock
    this.#onTrouble = onTrouble
  }

  /** Opens the file, or makes it, to see that it can be written. Throws LogFileError. */
  static check(path: string): void {
    closeSync(openLog(path))
  }

  /** Takes a line, with its line end. */
  readonly write = (line: string): void => {
    if (this.#waiting.length > MAX_WAITING_CHARACTERS) {
      this.#lost++
      return
    }
    this.#waiting += line
    if (this.#isWriting) return
    if (this.#waiting.length > MAX_GATHERED_CHARACTERS) this.#flush()
    else if (!this.#isGathering) this.#gather()
  }

  /** Goes on in a new file at the same path, after the former one was moved away. */
  reopen(): void {
    this.#mustReopen = true
    if (!this.#isWriting) this.#flush()
  }

  /** Resolves when all lines are in the file, or lost. */
  flushed(): Promise<void> {
    return new Promise((resolve) => {
      this.#onIdle = resolve
      if (!this.#isWriting) this.#flush()
    })
  }

  #gather(): void {
    this.#isGathering = true
    void this.#clock.sleep(GATHERING_MS).then(() => {
      this.#isGathering = false
      this.#flush()
    })
  }

  #flush(): void {
    if (this.#isWriting) return
    if (this.#mustReopen) this.#close()
    if (this.#waiting === '') {
      const onIdle = this.#onIdle
      this.#onIdle = undefined
      return onIdle?.()
    }
    const lines = Buffer.from(this.#waiting)
    this.#waiting = ''
    try {
      this.#fd ??= openLog(this.#path)
    } catch (error) {
      this.#failed(error)
      return this.#flush()
    }
    this.#isWriting = true
    this.#write(this.#fd, lines, 0)
  }

  #write(fd: number, lines: Buffer, from: number): void {
    write(fd, lines, from, lines.length - from, null, (error, written) => {
      if (error === null && from + written < lines.length) return this.#write(fd, lines, from + written)
      this.#isWriting = false
      if (error === null) this.#succeeded()
      else this.#failed(error)
      // Whoever waits for an end, or for another file, does not wait for more lines.
      if (this.#onIdle !== undefined || this.#mustReopen) this.#flush()
      else if (this.#waiting !== '' && !this.#isGathering) this.#gather()
    })
  }

  #close(): void {
    this.#mustReopen = false
    if (this.#fd !== undefined) closeSync(this.#fd)
    this.#fd = undefined
  }

  #failed(error: unknown): void {
    if (!this.#inTrouble)
      this.#onTrouble(`Lines of the log ${this.#path} are lost: ${asSentence(describeError(error))}`)
    this.#inTrouble = true
  }

  #succeeded(): void {
    this.#inTrouble = false
    if (this.#lost === 0) return
    this.#onTrouble(`${this.#lost} lines of ${this.#path} were lost, as the disk was too slow.`)
    this.#lost = 0
  }
}

function openLog(path: string): number {
  try {
    return openSync(path, 'a', MODE)
  } catch (cause) {
    const message = `The log ${path} cannot be opened: ${errorCode(cause) ?? describeError(cause)}. Its folder must exist, and this user must be allowed to write there.`
    throw new LogFileError('log-file-unwritable', message, { path }, { cause })
  }
}
