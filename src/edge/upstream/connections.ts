import { type ClientRequest, Agent as HttpAgent, request as httpRequest, type RequestOptions } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import type { UpstreamAddress } from '../snapshot.ts'

/** Idle connections kept to one upstream, as in nginx and Caddy. */
const MAX_IDLE_CONNECTIONS = 32
/** Shorter than the 60 s after which most servers close, so that a request rarely meets a dying connection. */
const IDLE_TIMEOUT_MS = 50_000

const agentOptions = { keepAlive: true, maxFreeSockets: MAX_IDLE_CONNECTIONS, timeout: IDLE_TIMEOUT_MS }

/** The connections of one worker to all its upstreams: kept alive, and used again. */
export class UpstreamConnections {
  readonly #http = new HttpAgent(agentOptions)
  readonly #https = new HttpsAgent(agentOptions)

  /** Begins a request on a connection that is idle, or a new one. Throws TypeError for what HTTP/1.1 cannot carry. */
  request(upstream: UpstreamAddress, options: Pick<RequestOptions, 'method' | 'path' | 'headers'>): ClientRequest {
    switch (upstream.scheme) {
      case 'http':
        return httpRequest({ ...options, agent: this.#http, host: upstream.host, port: upstream.port, setHost: false })
      case 'https':
        return httpsRequest({
          ...options,
          agent: this.#https,
          host: upstream.host,
          port: upstream.port,
          setHost: false,
        })
      case 'unix':
        return httpRequest({ ...options, agent: this.#http, socketPath: upstream.path, setHost: false })
      default:
        return upstream satisfies never
    }
  }

  /** Closes what is idle and, once it is free, the rest. */
  close(): void {
    this.#http.destroy()
    this.#https.destroy()
  }
}

/** The upstream as the config writes it. */
export function formatUpstream(upstream: UpstreamAddress): string {
  if (upstream.scheme === 'unix') return `unix:${upstream.path}`
  const host = upstream.host.includes(':') ? `[${upstream.host}]` : upstream.host
  return `${upstream.scheme}://${host}:${upstream.port}`
}
