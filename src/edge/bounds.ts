import { SERVER_DEADLINES } from './http1/deadlines.ts'
import { REQUEST_LIMITS } from './http1/limits.ts'
import type { Http1ServerOptions } from './http1/server.ts'
import { type Http2Limits, SERVER_LIMITS } from './http2/limits.ts'
import type { EdgeSnapshot } from './snapshot.ts'

type Bounds = Pick<EdgeSnapshot, 'limits' | 'timeouts'>

/** What the config's limits and times mean for HTTP/1.1. */
export function http1Bounds({
  limits,
  timeouts,
}: Bounds): Pick<Http1ServerOptions, 'limits' | 'deadlines' | 'maxRequests'> {
  return {
    maxRequests: limits.requestsPerConnection,
    limits: {
      ...REQUEST_LIMITS,
      startLineBytes: limits.requestLine,
      fieldBytes: limits.header,
      fieldCount: limits.headerFields,
    },
    deadlines: {
      ...SERVER_DEADLINES,
      idleMs: timeouts.idleMs,
      headMs: timeouts.headerMs,
      contentPauseMs: timeouts.bodyMs,
      contentBytesPerSecond: limits.bodyRate,
      writeStallMs: timeouts.writeMs,
    },
  }
}

/** What they mean for HTTP/2, where the request line is part of the fields, and a block may be twice what it becomes. */
export function http2Limits({ limits, timeouts }: Bounds): Http2Limits {
  const fieldBytes = limits.requestLine + limits.header
  return {
    ...SERVER_LIMITS,
    maxConcurrentStreams: limits.streams,
    maxRequests: limits.requestsPerConnection,
    maxHeaderListBytes: fieldBytes,
    maxBlockBytes: 2 * fieldBytes,
    maxFields: limits.headerFields,
    idleMs: timeouts.idleMs,
    fieldBlockMs: timeouts.headerMs,
    contentPauseMs: timeouts.bodyMs,
    contentMinRate: limits.bodyRate,
    writeStallMs: timeouts.writeMs,
  }
}
