import { median, type Reading } from '../figures.ts'
import { closeConnection, connectTls } from '../load/connection.ts'
import type { Server } from '../server.ts'
import { numberedNames, SITE_NAME } from '../site.ts'
import type { Scenario } from './scenario.ts'

const STORED = 100_000
/** Evenly among them. */
const ASKED = 200
/** They load code and fill caches that have nothing to do with a name. */
const FIRST_HANDSHAKES = 50

/**
 * What the first client of a name waits for, among 100,000 certificates that no client has come for: how much longer its
 * handshake takes than the next one of the same name.
 */
export const coldName: Scenario = {
  name: 'cold-name',
  metrics: [
    { name: 'beyond', title: 'first handshake of 1 in 100,000 names, beyond its second', unit: 'ms' },
    // Both: what else the machine does shows in the second as well.
    { name: 'first', title: '99th percentile of the first', unit: 'ms' },
    { name: 'second', title: '99th percentile of the second', unit: 'ms' },
    { name: 'memory', title: 'memory with those 100,000', unit: 'MB' },
  ],
  protocol: 'http/1.1',
  origin: 'static',
  siteNames: [SITE_NAME],
  extras: { storedSites: STORED },
  fresh: true,
  maxRounds: 1,
  async measure(server: Server): Promise<Reading> {
    const { port } = server
    const memory = server.memoryBytes / 1e6
    for (let count = 0; count < FIRST_HANDSHAKES; count++) await handshakeMs(port, SITE_NAME)
    const names = numberedNames(STORED)
    const first: number[] = []
    const second: number[] = []
    for (let asked = 0; asked < ASKED; asked++) {
      const name = names[Math.floor((asked * STORED) / ASKED)]!
      first.push(await handshakeMs(port, name))
      second.push(await handshakeMs(port, name))
    }
    return {
      beyond: median(first) - median(second),
      first: ninetyNinth(first),
      second: ninetyNinth(second),
      memory,
    }
  },
}

function ninetyNinth(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(0.99 * values.length)]!
}

async function handshakeMs(port: number, name: string): Promise<number> {
  const startedAt = performance.now()
  const socket = await connectTls({ port, name })
  const ms = performance.now() - startedAt
  await closeConnection(socket)
  return ms
}
