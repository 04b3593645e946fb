import type { Metric, Sample } from '../admin/metrics-text.ts'
import { type CounterReport, DURATION_BUCKETS_SECONDS } from '../edge/counters.ts'

/** A certificate that is held, as far as metrics tell of it. Times in ms since 1970. */
export type CertificateMetric = {
  readonly names: readonly string[]
  readonly keyKind: string
  readonly notAfter: number
}

/** What all workers have counted, as Prometheus knows it. */
export function workerMetrics(counters: CounterReport, workers: number): Metric[] {
  const { connections, handshakes, requests, upstreamFailures } = counters
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
      'Requests, by version of HTTP and class of the status; 0xx for clients that went away before an answer.',
      Object.entries(requests).map(([key, value]) => {
        const [version = '', status = ''] = key.split(' ')
        return { labels: { version, status }, value }
      }),
    ),
    durations(counters),
    counter('castellan_response_bytes_total', "Bytes of responses' content.", [{ value: counters.sentBytes }]),
    counter(
      'castellan_upstream_failures_total',
      'Requests that an upstream gave no usable response to, by reason.',
      byLabel('reason', upstreamFailures),
    ),
  ]
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

function durations({ durations: counts, durationSumSeconds }: CounterReport): Metric {
  let sum = 0
  const buckets = counts.map((count, index): Sample => {
    sum += count
    const bound = DURATION_BUCKETS_SECONDS[index]
    return { suffix: '_bucket', labels: { le: bound === undefined ? '+Inf' : String(bound) }, value: sum }
  })
  const samples = [...buckets, { suffix: '_sum', value: durationSumSeconds }, { suffix: '_count', value: sum }]
  const help = 'From the head of a request to the end of its response.'
  return { name: 'castellan_request_duration_seconds', help, type: 'histogram', samples }
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
