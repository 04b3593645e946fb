import type { CounterReport } from '../edge/counters.ts'
import type { ListenerSpec } from '../edge/listener.ts'
import type { RateUse } from '../edge/middleware/rate-counts.ts'
import type {
  CertificateChange,
  CertificateMaterial,
  ChallengeSnapshot,
  EdgeSnapshot,
  HstsChange,
  MaintenanceChange,
  NameAnswer,
  SiteSnapshot,
  UpstreamConditions,
} from '../edge/snapshot.ts'
import type { TicketSecrets } from '../edge/tls/ticket-keys.ts'
import type { TargetReport } from '../edge/upstream/balance/target-report.ts'
import type { AccessFormat } from '../telemetry/access-log.ts'
import type { LogFormat, LogLevel } from '../telemetry/log.ts'

/** The sites have come before it, and certificates come after it, all of them in parts; then it is told to listen. */
export type StartMessage = {
  readonly type: 'start'
  readonly listeners: readonly ListenerSpec[]
  readonly snapshot: Omit<EdgeSnapshot, 'sites'>
  readonly challenges: readonly ChallengeSnapshot[]
  readonly ticketSecrets: TicketSecrets
  readonly log: { readonly level: LogLevel; readonly format: LogFormat }
  /** The file is undefined for standard output. */
  readonly accessLog: { readonly file: string | undefined; readonly format: AccessFormat }
  readonly drainMs: number
}

/** From the control plane to a worker. Those with an `id` are answered with `done` once they have taken effect. */
export type ToWorker =
  /** Some of the sites. */
  | { readonly type: 'sites'; readonly sites: readonly SiteSnapshot[] }
  | StartMessage
  | { readonly type: 'listen' }
  | { readonly type: 'certificates'; readonly change: CertificateChange }
  /** The answer to `material-wanted`: undefined for a certificate that is not served any more. */
  | { readonly type: 'material'; readonly certificate: string; readonly material: CertificateMaterial | undefined }
  | { readonly type: 'maintenance'; readonly id: number; readonly changes: readonly MaintenanceChange[] }
  | { readonly type: 'hsts'; readonly changes: readonly HstsChange[] }
  /** The answer to `name-wanted`. Where it is `served`, the certificates have been told of before. */
  | { readonly type: 'name-answer'; readonly name: string; readonly answer: NameAnswer }
  /** What clients have used of their limits with another worker. */
  | { readonly type: 'rates-used'; readonly uses: readonly RateUse[] }
  | { readonly type: 'ticket-secrets'; readonly secrets: TicketSecrets }
  | { readonly type: 'publish-challenge'; readonly id: number; readonly challenge: ChallengeSnapshot }
  | { readonly type: 'withdraw-challenge'; readonly id: number; readonly challenge: ChallengeSnapshot }
  | { readonly type: 'reopen-logs' }
  | { readonly type: 'upstreams'; readonly conditions: UpstreamConditions }
  /** Answered with `targets`. */
  | { readonly type: 'report-targets'; readonly id: number }
  /** Answered with `counters`. */
  | { readonly type: 'count'; readonly id: number }
  /** Answered with `alive`, whatever the worker is at. */
  | { readonly type: 'heartbeat' }
  /** Cut after `withinMs` what has not finished. `gently`: others accept already, and nothing has to hurry. */
  | { readonly type: 'drain'; readonly withinMs: number; readonly gently: boolean }

/** From a worker to the control plane. */
export type FromWorker =
  | { readonly type: 'ready' }
  /** The message is for the operator. */
  | { readonly type: 'listen-failed'; readonly address: string; readonly message: string }
  /** A client has come for a certificate that no client has lately come for. */
  | { readonly type: 'material-wanted'; readonly certificate: string }
  /** A client has come for a name that no site lists. */
  | { readonly type: 'name-wanted'; readonly name: string; readonly address: string }
  /** What clients have used of their limits with this worker, for the others to count too. */
  | { readonly type: 'rates-used'; readonly uses: readonly RateUse[] }
  /** Clients have lately come for these names, which are served on demand. */
  | { readonly type: 'names-seen'; readonly names: readonly string[] }
  | { readonly type: 'alive' }
  /** It was asked by a signal to finish what it has, and accepts no more. */
  | { readonly type: 'draining' }
  | { readonly type: 'done'; readonly id: number }
  | { readonly type: 'targets'; readonly id: number; readonly targets: readonly TargetReport[] }
  | { readonly type: 'counters'; readonly id: number; readonly counters: CounterReport }
