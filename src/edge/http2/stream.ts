import type { Fields } from '../exchange/exchange.ts'
import type { Closing } from './closed-streams.ts'
import { ContentQueue } from './content-queue.ts'
import { DEFAULT_WINDOW_BYTES } from './frame.ts'
import { DEFAULT_PRIORITY, type Priority } from './priority.ts'
import { ProgressWatch } from './progress-watch.ts'
import { ReceiveWindow } from './receive-window.ts'
import type { Scheduled } from './send-schedule.ts'
import { StreamState } from './stream-state.ts'

/** What counts as progress of a peer that is slow to take what is sent. Less is a way to hold memory. */
export const MIN_PROGRESS_BYTES = 1024

/** What both roles know of a stream: its state, its windows and what waits to be sent. */
export class Http2Stream implements Scheduled {
  /** 0 before it has one. */
  id: number
  readonly state = new StreamState()
  /** How it was closed, while it is still here: its last frames may not be with the peer yet. */
  closing: Closing | undefined
  /** What the peer allows us to send; negative after it has lowered its initial window (RFC 9113 §6.9.2). */
  sendWindow: number
  readonly queue = new ContentQueue()
  /** Nothing is added to the queue any more. */
  isEnding = false
  trailers: Fields | undefined
  /** The source was told to pause, and not yet that it may go on. */
  owesDrain = false
  priority: Priority = DEFAULT_PRIORITY
  isScheduled = false
  /** Octets of content that were sent. */
  sentBytes = 0
  /** Received, and held by a receiver that has said "enough". */
  heldBytes = 0
  isPaused = false
  /** Small pieces that are gathered for a receiver that has said "enough"; what is whole goes on to it all the same. */
  gathered: ContentQueue | undefined
  #receiveWindow: ReceiveWindow | undefined
  #stall: ProgressWatch | undefined

  constructor(id: number, sendWindow: number) {
    this.id = id
    this.sendWindow = sendWindow
  }

  /** Made for streams that have content only. */
  receiveWindow(maxBytes: number): ReceiveWindow {
    this.#receiveWindow ??= new ReceiveWindow(DEFAULT_WINDOW_BYTES, maxBytes)
    return this.#receiveWindow
  }

  /** Whether the peer keeps content waiting by its window. To be asked at each sweep. */
  isStalled(now: number, limitMs: number): boolean {
    const isWaiting = this.queue.bytes > 0 && this.sendWindow <= 0
    if (isWaiting) this.#stall ??= new ProgressWatch()
    return this.#stall?.isOverdue(now, isWaiting, this.sentBytes, MIN_PROGRESS_BYTES, limitMs) ?? false
  }
}
