import { setTimeout as wait } from 'node:timers/promises'
import type { Reading } from '../figures.ts'
import type { Extras } from '../peers/peer.ts'
import type { Server } from '../server.ts'
import { numberedNames } from '../site.ts'
import type { Scenario } from './scenario.ts'

const SITES = 5_000
/** One worker may serve while another has not begun, which would look like less memory. */
const SETTLE_MS = 3_000

/** From the command to the answers of the first and the last site, and the memory that is in use a moment later. */
function startOf({ name, suffix, extras = {} }: { name: string; suffix: string; extras?: Extras }): Scenario {
  return {
    name,
    metrics: [
      { name: 'seconds', title: `start with 5,000 sites${suffix}`, unit: 's' },
      // Tells more than the seconds do where others use the machine as well.
      { name: 'cpu', title: 'CPU time of that start', unit: 's' },
      { name: 'memory', title: `memory with 5,000 sites${suffix}`, unit: 'MB' },
    ],
    protocol: 'http/1.1',
    origin: 'static',
    siteNames: numberedNames(SITES),
    extras,
    fresh: true,
    maxRounds: 3,
    async measure(server: Server): Promise<Reading> {
      const cpu = server.cpuSeconds
      await wait(SETTLE_MS)
      return { seconds: server.startSeconds, cpu, memory: server.memoryBytes / 1e6 }
    },
  }
}

export const start = startOf({ name: 'start', suffix: '' })
export const startTwoWorkers = startOf({
  name: 'start-two-workers',
  suffix: ', two workers',
  extras: { workers: 2 },
})
