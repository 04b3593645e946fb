import { CastellanError } from '../errors.ts'
import type { Notice } from './trouble.ts'

/** A way on which notices reach a person. */
export interface Channel {
  /** What the log and the operator call it; holds no secret, and differs from those of the others. */
  readonly name: string
  /** How long it waits for more to send along, in ms. */
  readonly gatherMs: number
  /** Sends some notices as one message. Rejects with NotifyError, and within a minute; may then be called again. */
  send(notices: readonly Notice[], signal: AbortSignal): Promise<void>
}

export type NotifyErrorCode = 'notify-unreachable' | 'notify-refused' | 'notify-timeout'

/** Notices could not be sent. */
export class NotifyError extends CastellanError {
  declare readonly code: NotifyErrorCode
}
