import { BenchError } from '../bench-error.ts'
import type { Reading } from '../figures.ts'
import { inParallel } from '../load/in-parallel.ts'
import { visit } from '../load/visit.ts'
import type { Server } from '../server.ts'
import { SITE_NAME } from '../site.ts'
import { cpuSecondsEach, type Scenario } from './scenario.ts'

const CONNECTIONS = 2_000
const AT_ONCE = 16

/** Clients that come back: a session of their last visit (RFC 8446 §2.2), and one request. */
export const resumption: Scenario = {
  name: 'resumption',
  metrics: [{ name: 'cpu', title: 'resumed connection and a request', unit: 'µs' }],
  protocol: 'http/1.1',
  origin: 'static',
  siteNames: [SITE_NAME],
  fresh: false,
  async measure(server: Server): Promise<Reading> {
    const sessions: (Buffer | undefined)[] = []
    await inParallel(AT_ONCE, AT_ONCE, async (visitor) => {
      sessions[visitor] = (await visit(server)).session
    })
    return { cpu: 1e6 * (await cpuSecondsEach(server, () => comeBack(server, sessions))) }
  },
}

/** The same with two workers, of which a client gets another than last time as often as not. */
export const resumptionElsewhere: Scenario = {
  ...resumption,
  name: 'resumption-two-workers',
  metrics: [{ name: 'cpu', title: 'the same with two workers', unit: 'µs' }],
  extras: { workers: 2 },
}

/** Throws BenchError `not-resumed` unless every session is. */
async function comeBack(server: Server, sessions: (Buffer | undefined)[]): Promise<number> {
  await inParallel(sessions.length, sessions.length, async (visitor) => {
    for (let visits = 0; visits < CONNECTIONS / AT_ONCE; visits++) {
      const { isResumed, session } = await visit(server, sessions[visitor])
      if (!isResumed) throw new BenchError('not-resumed', 'it does not resume every session')
      sessions[visitor] = session ?? sessions[visitor]
    }
  })
  return CONNECTIONS
}
