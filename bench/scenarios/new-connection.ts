import type { Reading } from '../figures.ts'
import { inParallel } from '../load/in-parallel.ts'
import { visit } from '../load/visit.ts'
import type { Server } from '../server.ts'
import { SITE_NAME } from '../site.ts'
import { cpuSecondsEach, type Scenario } from './scenario.ts'

const CONNECTIONS = 2_000
const AT_ONCE = 16

/** Clients that have never been here: a whole handshake each, which wrk does not do, as it resumes where a server lets it. */
export const newConnection: Scenario = {
  name: 'new-connection',
  metrics: [{ name: 'cpu', title: 'new connection and a request', unit: 'µs' }],
  protocol: 'http/1.1',
  origin: 'static',
  siteNames: [SITE_NAME],
  fresh: false,
  async measure(server: Server): Promise<Reading> {
    return { cpu: 1e6 * (await cpuSecondsEach(server, () => comeNew(server))) }
  },
}

async function comeNew(server: Server): Promise<number> {
  await inParallel(CONNECTIONS, AT_ONCE, async () => {
    await visit(server)
  })
  return CONNECTIONS
}
