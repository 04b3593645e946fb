import { once } from 'node:events'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { CastellanError, describeError, errorCode } from '../errors.ts'
import { http } from '../system/http.ts'
import { formatMetrics, METRICS_TYPE, type Metric } from './metrics-text.ts'

/** The address for metrics cannot be used (`facts.address`). */
export class MetricsError extends CastellanError {
  declare readonly code: 'metrics-not-listening'
}

export type MetricsServerOptions = {
  readonly host: string | undefined
  readonly port: number
  /** As the config writes it, for messages. */
  readonly address: string
  /** What is told, at each request. */
  readonly collect: () => Promise<readonly Metric[]>
}

/** A scrape is one request now and then. */
const MAX_CONNECTIONS = 16
const TIMEOUT_MS = 10_000

/** Serves metrics at /metrics over plain HTTP, to whoever may reach the address. Throws MetricsError. */
export async function startMetricsServer({ host, port, address, collect }: MetricsServerOptions): Promise<Server> {
  const server = http.createServer({ requestTimeout: TIMEOUT_MS, headersTimeout: TIMEOUT_MS }, (request, response) => {
    void answer(request, response, collect)
  })
  server.maxConnections = MAX_CONNECTIONS
  try {
    await once(server.listen({ host: host ?? '::', port }), 'listening')
  } catch (cause) {
    const message = `Metrics cannot be served on ${address}: ${describeError(cause)}. Name another address under "metrics".`
    throw new MetricsError('metrics-not-listening', message, { address, cause: errorCode(cause) }, { cause })
  }
  return server
}

async function answer(
  { method, url }: IncomingMessage,
  response: ServerResponse,
  collect: MetricsServerOptions['collect'],
): Promise<void> {
  if (url !== '/metrics') return void response.writeHead(404).end()
  if (method !== 'GET' && method !== 'HEAD') return void response.writeHead(405, { Allow: 'GET, HEAD' }).end()
  try {
    const text = formatMetrics(await collect())
    response.writeHead(200, { 'Content-Type': METRICS_TYPE, 'Cache-Control': 'no-store' }).end(text)
  } catch (error) {
    response.writeHead(500, { 'Content-Type': 'text/plain; charset=utf-8' }).end(`${describeError(error)}\n`)
  }
}
