import type { TLSSocket } from 'node:tls'
import type { Reading } from '../figures.ts'
import { closeConnection, connectTls } from '../load/connection.ts'
import { h2load } from '../load/h2load.ts'
import type { OriginKind } from '../origin/origin.ts'
import type { Server } from '../server.ts'
import { SITE_NAME } from '../site.ts'
import { cpuSecondsEach, type Scenario } from './scenario.ts'

type TransferScenario = { readonly name: string; readonly title: string; readonly origin: OriginKind }

type Http1Transfers = TransferScenario & {
  readonly transfer: (socket: TLSSocket, name: string) => Promise<void>
}

type Http2Transfers = TransferScenario & {
  /** Makes all of the transfers. */
  readonly load: (server: Server) => Promise<void>
}

/** One takes some 50 ms of CPU, and the kernel counts to 10 ms. */
export const TRANSFERS = 8

/** Large bodies, one after another on one HTTP/1.1 connection. */
export function transfers({ name, title, origin, transfer }: Http1Transfers): Scenario {
  const load = async (server: Server): Promise<number> => {
    const socket = await connectTls({ port: server.port, name: SITE_NAME })
    try {
      for (let done = 0; done < TRANSFERS; done++) await transfer(socket, SITE_NAME)
      return TRANSFERS
    } finally {
      await closeConnection(socket)
    }
  }
  const measure = async (server: Server): Promise<Reading> => ({
    cpu: 1e3 * (await cpuSecondsEach(server, () => load(server))),
  })
  const metrics = [{ name: 'cpu', title, unit: 'ms' }]
  return { name, metrics, protocol: 'http/1.1', origin, siteNames: [SITE_NAME], fresh: false, measure }
}

/** The same on one HTTP/2 connection. */
export function http2Transfers({ name, title, origin, load }: Http2Transfers): Scenario {
  const loadAll = async (server: Server): Promise<number> => {
    await load(server)
    return TRANSFERS
  }
  const measure = async (server: Server): Promise<Reading> => ({
    cpu: 1e3 * (await cpuSecondsEach(server, () => loadAll(server))),
  })
  const metrics = [{ name: 'cpu', title, unit: 'ms' }]
  return { name, metrics, protocol: 'h2', origin, tool: h2load, siteNames: [SITE_NAME], fresh: false, measure }
}
