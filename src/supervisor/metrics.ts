import type { Metric, Sample } from '../admin/metrics-text.ts'
import type { Balance } from '../certificates/ledger/order-facts.ts'
import { type CounterReport, type TimedStep, timedSteps } from '../edge/counters.ts'
import { DURATION_BUCKETS_SECONDS, type HistogramReport } from '../edge/histogram.ts'

/** A certificate that is held, as far as metrics tell of it. Times in ms since 1970. */
export type CertificateMetric = {
  readonly names: readonly string[]
  readonly keyKind: string
  readonly notAfter: number
}

/** Name and help of each histogram. */
const HISTOGRAMS: Readonly<Record<TimedStep, readonly [name: string, help: string]>> = {
  handshake: [
    'castellan_handshake_duration_seconds',
    'From a connection to the end of its TLS handshake, for those that succeed.',
  ],
  upstreamConnect: [
    'castellan_upstream_connect_duration_seconds',
    'How long requests waited for a connection to their upstream, where none was at hand.',
  ],
  upstreamFirstByte: [
    'castellan_upstream_first_byte_duration_seconds',
    "From the sending of a request to the head of its upstream's response.",
  ],
  request: ['castellan_request_duration_seconds', 'From the head of a request to the end of its response.'],
}

/** What all workers have counted, as Prometheus knows it. */
export function workerMetrics(counters: CounterReport, workers: number): Metric[] {
  const { connections, handshakes, requests, durations, upstreamFailures, upstreamRetries, http2Errors } = counters
  return [
    gauge('castellan_workers', 'Worker processes that accept connections.', [{ value: workers }]),
    gauge('castellan_connections_open', 'Connections of clients that are open.', [{ value: counters.connectionsOpen }]),
    counter(
      'castellan_connections_total',
      'Connections of clients, by what became of them.',
      byLabel('result', connections),
    ),
    counter('castellan_handshakes_total', 'TLS handshakes, by how they ended.', byLabel('result', handshakes)),
    counter(
      'castellan_requests_total',
      'Requests, by version of HTTP and class of the status; 0xx for those that ended without an answer.',
      Object.entries(requests).map(([key, value]) => {
        const [version = '', status = ''] = key.split(' ')
        return { labels: { version, status }, value }
      }),
    ),
    ...timedSteps.map((step) => histogram(...HISTOGRAMS[step], durations[step])),
    counter('castellan_response_bytes_total', "Bytes of responses' content.", [{ value: counters.sentBytes }]),
    counter(
      'castellan_upstream_failures_total',
      'Requests that an upstream gave no usable response to, by reason.',
      byLabel('reason', upstreamFailures),
    ),
    counter(
      'castellan_upstream_retries_total',
      'Requests that were sent to another target, or again to one that was restarting, by what had been met before.',
      byLabel('reason', upstreamRetries),
    ),
    counter(
      'castellan_http2_errors_total',
      'Streams and connections of HTTP/2 that were ended for what their client did, by the code it was told and the reason.',
      Object.entries(http2Errors).map(([key, value]) => {
        const [scope = '', code = '', reason = ''] = key.split(' ')
        return { labels: { scope, code, reason }, value }
      }),
    ),
  ]
}

/** Addresses of upstreams: those with health checks, and by URL those that are drained. */
export function upstreamMetrics(
  checks: readonly { readonly url: string; readonly path: string; readonly isUp: boolean }[],
  drained: readonly string[],
): Metric[] {
  return [
    gauge(
      'castellan_upstream_up',
      'Whether an address of an upstream is well, as its health checks say: 1 or 0.',
      checks.map(({ url, path, isUp }) => ({ labels: { upstream: url, path }, value: isUp ? 1 : 0 })),
    ),
    gauge(
      'castellan_upstream_drained',
      'Addresses of upstreams that are being drained: 1 each.',
      drained.map((upstream) => ({ labels: { upstream }, value: 1 })),
    ),
  ]
}

/** Names whose certificates are issued on demand, as far as they are in memory. */
export function onDemandMetrics(inUse: number): Metric[] {
  const help = 'Names on demand that clients have lately come for, and whose certificates are in memory.'
  return [gauge('castellan_on_demand_names', help, [{ value: inUse }])]
}

/** Who has an account for each site may have thousands: those with the fewest left are worth a look. */
const MAX_ACCOUNTS = 100

/** What the rate limits of CAs leave to accounts. */
export function limitMetrics(ordersLeft: readonly Pick<Balance, 'authority' | 'subject' | 'left'>[]): Metric[] {
  if (ordersLeft.length === 0) return []
  const help = `Orders that a rate limit leaves to an account, of those that have spent some; the ${MAX_ACCOUNTS} with the fewest left.`
  const samples = ordersLeft
    .toSorted((a, b) => a.left - b.left)
    .slice(0, MAX_ACCOUNTS)
    .map(({ authority, subject, left }) => ({ labels: { directory: authority, account: subject }, value: left }))
  return [gauge('castellan_orders_left', help, samples)]
}

/** How long certificates are good for: what an operator wants to be woken by. */
export function certificateMetrics(certificates: readonly CertificateMetric[]): Metric[] {
  return [
    gauge(
      'castellan_certificate_not_after_seconds',
      'When the certificate that is served for a name ends, in seconds since 1970.',
      certificates.flatMap(({ names, keyKind, notAfter }) =>
        names.map((name) => ({ labels: { name, key: keyKind }, value: Math.floor(notAfter / 1000) })),
      ),
    ),
  ]
}

function histogram(name: string, help: string, { counts, sumSeconds }: HistogramReport): Metric {
  let sum = 0
  const buckets = counts.map((count, index): Sample => {
    sum += count
    const bound = DURATION_BUCKETS_SECONDS[index]
    return { suffix: '_bucket', labels: { le: bound === undefined ? '+Inf' : String(bound) }, value: sum }
  })
  const samples = [...buckets, { suffix: '_sum', value: sumSeconds }, { suffix: '_count', value: sum }]
  return { name, help, type: 'histogram', samples }
}

function gauge(name: string, help: string, samples: readonly Sample[]): Metric {
  return { name, help, type: 'gauge', samples }
}

function counter(name: string, help: string, samples: readonly Sample[]): Metric {
  return { name, help, type: 'counter', samples }
}

function byLabel(label: string, counts: Readonly<Record<string, number>>): Sample[] {
  return Object.entries(counts).map(([key, value]) => ({ labels: { [label]: key }, value }))
}
