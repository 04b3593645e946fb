import type { Reading } from '../figures.ts'
import { loadAtRate, loadWithWrk, wrk } from '../load/wrk.ts'
import type { Server } from '../server.ts'
import { SITE_NAME } from '../site.ts'
import type { Scenario } from './scenario.ts'

/** Of the requests a second that this peer bears at most, on this machine with what else runs there. */
const SHARE_OF_PEAK = 0.7
const PEAK_CONNECTIONS = 32

/** How long requests take while a server is busy but not too busy: each peer at the same share of its own peak. */
export const latency: Scenario = {
  name: 'latency',
  metrics: [
    { name: 'p99', title: 'latency at 70 % of peak, 99th percentile', unit: 'ms' },
    { name: 'p50', title: 'the same, median', unit: 'ms' },
    { name: 'rate', title: 'that share of the peak', unit: '1/s' },
  ],
  protocol: 'http/1.1',
  origin: 'static',
  tool: wrk,
  siteNames: [SITE_NAME],
  fresh: false,
  async measure(server: Server, seconds: number): Promise<Reading> {
    const url = `https://${SITE_NAME}:${server.port}/`
    const peak = (await loadWithWrk({ url, connections: PEAK_CONNECTIONS, seconds })) / seconds
    return loadAtRate({ url, rate: SHARE_OF_PEAK * peak, seconds })
  },
}
