import type { Reading } from '../figures.ts'
import { loadWebSockets } from '../load/websocket.ts'
import type { Server } from '../server.ts'
import { SITE_NAME } from '../site.ts'
import { cpuSecondsEach, type Scenario } from './scenario.ts'

const CONNECTIONS = 32

/** A message of 12 bytes to the origin and back. */
export const websocket: Scenario = {
  name: 'websocket',
  metrics: [{ name: 'cpu', title: 'WebSocket echo, 32 connections', unit: 'µs' }],
  protocol: 'http/1.1',
  origin: 'interactive',
  siteNames: [SITE_NAME],
  fresh: false,
  async measure(server: Server, seconds: number): Promise<Reading> {
    const target = { port: server.port, name: SITE_NAME }
    return { cpu: 1e6 * (await cpuSecondsEach(server, () => loadWebSockets(target, CONNECTIONS, seconds))) }
  },
}
