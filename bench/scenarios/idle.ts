import { setTimeout as wait } from 'node:timers/promises'
import type { TLSSocket } from 'node:tls'
import { BenchError } from '../bench-error.ts'
import type { Reading } from '../figures.ts'
import { closeConnection, connectTls, get } from '../load/connection.ts'
import { inParallel } from '../load/in-parallel.ts'
import type { Server } from '../server.ts'
import { SITE_NAME } from '../site.ts'
import type { Scenario } from './scenario.ts'

const CONNECTIONS = 2_000
/** They load code and fill pools, so that only what a connection itself needs is counted. */
const FIRST_CONNECTIONS = 100
const AT_ONCE = 16
/** For what a server frees a moment later. */
const SETTLE_MS = 1_000

/** Connections that have had one answer each and wait for the next request: what a server remembers of everyone. */
export const idle: Scenario = {
  name: 'idle',
  metrics: [{ name: 'memory', title: 'idle connection, 1 of 2,000', unit: 'kB' }],
  protocol: 'http/1.1',
  origin: 'static',
  siteNames: [SITE_NAME],
  fresh: true,
  maxRounds: 3,
  async measure(server: Server): Promise<Reading> {
    await withConnections(server, FIRST_CONNECTIONS, async () => {})
    await wait(SETTLE_MS)
    const before = server.memoryBytes
    const after = await withConnections(server, CONNECTIONS, async () => {
      await wait(SETTLE_MS)
      return server.memoryBytes
    })
    return { memory: (after - before) / 1000 / CONNECTIONS }
  },
}

/** Throws BenchError `answer-wrong` if the server has closed one of them by the end. */
async function withConnections<T>({ port }: Server, count: number, work: () => Promise<T>): Promise<T> {
  const sockets: TLSSocket[] = []
  try {
    await inParallel(count, AT_ONCE, async () => {
      const socket = await connectTls({ port, name: SITE_NAME })
      sockets.push(socket)
      await get(socket, SITE_NAME)
    })
    const result = await work()
    const lost = sockets.filter(({ readyState }) => readyState !== 'open').length
    if (lost > 0) throw new BenchError('answer-wrong', `it closed ${lost} of ${count} idle connections`)
    return result
  } finally {
    await Promise.all(sockets.map(closeConnection))
  }
}
