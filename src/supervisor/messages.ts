import type { CounterReport } from '../edge/counters.ts'
import type { ListenerSpec } from '../edge/listener.ts'
import type {
  CertificateSnapshot,
  ChallengeSnapshot,
  EdgeSnapshot,
  StapleSnapshot,
  WaitingSnapshot,
} from '../edge/snapshot.ts'
import type { TicketSecrets } from '../edge/tls/ticket-keys.ts'
import type { AccessFormat } from '../telemetry/access-log.ts'
import type { LogFormat, LogLevel } from '../telemetry/log.ts'

/**
 * What changed among the certificates: those that are new, the ids of those that are gone, other staples of those that
 * stay, and who still waits.
 */
export type CertificateChange = {
  readonly put: readonly CertificateSnapshot[]
  readonly remove: readonly string[]
  readonly staples: readonly StapleSnapshot[]
  readonly waiting: readonly WaitingSnapshot[]
}

export type StartMessage = {
  readonly type: 'start'
  readonly listeners: readonly ListenerSpec[]
  readonly snapshot: EdgeSnapshot
  readonly certificates: CertificateChange
  readonly challenges: readonly ChallengeSnapshot[]
  readonly ticketSecrets: TicketSecrets
  readonly log: { readonly level: LogLevel; readonly format: LogFormat }
  /** The file is undefined for standard output. */
  readonly accessLog: { readonly file: string | undefined; readonly format: AccessFormat }
  readonly drainMs: number
}

/** From the control plane to a worker. Those with an `id` are answered with `done` once they have taken effect. */
export type ToWorker =
  | StartMessage
  | { readonly type: 'certificates'; readonly change: CertificateChange }
  | { readonly type: 'ticket-secrets'; readonly secrets: TicketSecrets }
  | { readonly type: 'publish-challenge'; readonly id: number; readonly challenge: ChallengeSnapshot }
  | { readonly type: 'withdraw-challenge'; readonly id: number; readonly challenge: ChallengeSnapshot }
  | { readonly type: 'reopen-logs' }
  /** Answered with `counters`. */
  | { readonly type: 'count'; readonly id: number }
  | { readonly type: 'drain' }

/** From a worker to the control plane. */
export type FromWorker =
  | { readonly type: 'ready' }
  /** The message is for the operator. */
  | { readonly type: 'listen-failed'; readonly address: string; readonly message: string }
  | { readonly type: 'done'; readonly id: number }
  | { readonly type: 'counters'; readonly id: number; readonly counters: CounterReport }
