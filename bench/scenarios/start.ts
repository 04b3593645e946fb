import type { Reading } from '../figures.ts'
import type { Server } from '../server.ts'
import type { Scenario } from './scenario.ts'

const SITES = 5_000

/** From the command to the answers of the first and the last site, and the memory that is in use then. */
export const start: Scenario = {
  name: 'start',
  metrics: [
    { name: 'seconds', title: 'start with 5,000 sites', unit: 's' },
    // Tells more than the seconds do where others use the machine as well.
    { name: 'cpu', title: 'CPU time of that start', unit: 's' },
    { name: 'memory', title: 'memory with 5,000 sites', unit: 'MB' },
  ],
  protocol: 'http/1.1',
  origin: 'static',
  siteNames: Array.from({ length: SITES }, (_, index) => `site-${String(index).padStart(4, '0')}.test`),
  fresh: true,
  maxRounds: 3,
  async measure(server: Server): Promise<Reading> {
    return { seconds: server.startSeconds, cpu: server.cpuSeconds, memory: server.memoryBytes / 1e6 }
  },
}
