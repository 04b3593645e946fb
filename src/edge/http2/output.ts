import type { Duplex } from 'node:stream'
import { giveRoomBack, isOfRoom } from './batch-rooms.ts'
import { FrameWriter } from './frame-writer.ts'
import { ProgressWatch } from './progress-watch.ts'

/** What the output asks of its connection. */
export interface OutputSource<T> {
  /** Writes what content may go now. */
  onFill(): void
  /** Called when something was sent, or the socket takes more again. */
  onFlushed(): void
  /** The last frames of these have left the socket. */
  onDelivered(ended: readonly T[]): void
}

/**
 * The way of frames to the socket: everything that is written in one turn of the event loop goes as one piece. While
 * the socket takes no more, no content is written, and control frames wait.
 */
export class Output<T> {
  readonly frames = new FrameWriter()
  readonly #socket: Duplex
  readonly #source: OutputSource<T>
  #isScheduled = false
  #isBlocked = false
  /** A batch of content has not left the socket, and no other follows before it has. */
  #isBatchUnderWay = false
  #drains = 0
  #ended: T[] = []
  readonly #stall = new ProgressWatch()

  constructor(socket: Duplex, source: OutputSource<T>) {
    this.#socket = socket
    this.#source = source
    socket.on('drain', () => {
      if (!this.#isBatchUnderWay) this.#unblock()
    })
  }

  /** The socket takes no more before it has delivered what it has. */
  get isBlocked(): boolean {
    return this.#isBlocked
  }

  /** Whether the socket has been blocked for so long. To be asked at each sweep. */
  isStalled(now: number, limitMs: number): boolean {
    return this.#stall.isOverdue(now, this.#isBlocked, this.#drains, 1, limitMs)
  }

  /** Sends what is written at the end of this turn. */
  schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(this.#flushScheduled)
  }

  /** The last frame of this one was written. */
  addEnded(it: T): void {
    this.#ended.push(it)
  }

  /** Sends what is written, now. */
  flush(): void {
    while (!this.#isBlocked) {
      if (this.#socket.destroyed || this.#socket.writableEnded) return
      this.#source.onFill()
      if (this.frames.pendingBytes === 0) break
      this.#write()
    }
    this.#source.onFlushed()
  }

  /** Sends the last word, blocked or not, and ends. */
  end(): void {
    if (!this.#socket.destroyed && !this.#socket.writableEnded) this.#socket.end(this.frames.take())
  }

  readonly #flushScheduled = (): void => {
    this.#isScheduled = false
    this.flush()
  }

  #write(): void {
    const bytes = this.frames.take()
    const ended = this.#ended
    const isBatch = isOfRoom(bytes)
    if (ended.length === 0 && !isBatch) {
      this.#isBlocked = !this.#socket.write(bytes)
      return
    }
    this.#ended = []
    const takesMore = this.#socket.write(bytes, (error) => {
      if (error) return
      if (ended.length > 0) this.#source.onDelivered(ended)
      if (isBatch) this.#batchTaken(bytes)
    })
    this.#isBlocked = isBatch || !takesMore
    this.#isBatchUnderWay ||= isBatch
  }

  #batchTaken(bytes: Buffer): void {
    giveRoomBack(bytes)
    this.#isBatchUnderWay = false
    if (!this.#socket.writableNeedDrain) this.#unblock()
  }

  #unblock(): void {
    this.#isBlocked = false
    this.#drains++
    this.flush()
  }
}
