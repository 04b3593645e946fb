import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { Edge } from '../../../src/edge/edge.ts'
import type { SiteSnapshot } from '../../../src/edge/snapshot.ts'
import { bindListeningSocket } from '../../../src/supervisor/listening-sockets.ts'
import { systemClock } from '../../../src/system/clock.ts'
import type { AccessEntry } from '../../../src/telemetry/access-log.ts'
import { freePort } from '../../e2e/castellan.ts'
import { RecordingLog } from '../../fakes/recording-log.ts'
import { plainSnapshot } from '../serve.ts'
import { certificate, rootPem, Supply, ticketSecret } from '../tls/served.ts'

/** Whoever says when it is over: a test, or the file of one. */
export type Scope = { after(end: () => unknown): void }

export type Way = 'http' | 'https'
export const WAYS: readonly Way[] = ['http', 'https']

/** What must not last. Nothing here takes long unless it hangs. */
const PATIENCE_MS = 5_000

/** The data plane as a worker runs it, on two ports, for the sites `a.test` and whatever else is given. */
export class RunningEdge {
  readonly edge: Edge
  readonly log: RecordingLog
  readonly accesses: AccessEntry[]
  readonly ports: Readonly<Record<Way, number>>
  readonly #root: string

  constructor(
    edge: Edge,
    log: RecordingLog,
    accesses: AccessEntry[],
    ports: Readonly<Record<Way, number>>,
    root: string,
  ) {
    this.edge = edge
    this.log = log
    this.accesses = accesses
    this.ports = ports
    this.#root = root
  }

  /** A connection whose end does not end ours, with TLS established. */
  async connect(way: Way, protocol: 'http/1.1' | 'h2' = 'http/1.1'): Promise<Socket> {
    const to = { port: this.ports[way], host: '127.0.0.1', allowHalfOpen: true, noDelay: true }
    const socket =
      way === 'http'
        ? connect(to)
        : connectTls({ ...to, servername: 'a.test', ca: this.#root, ALPNProtocols: [protocol] })
    await new Promise<void>((resolve, reject) => {
      socket.once(way === 'http' ? 'connect' : 'secureConnect', resolve)
      socket.once('error', reject)
    })
    return socket
  }

  /** Sends these bytes, one piece after the other, and gives all that comes back until the edge closes. */
  async tell(way: Way, ...pieces: readonly (string | Buffer)[]): Promise<string> {
    const socket = await this.connect(way)
    const answer = untilClosed(socket)
    for (const piece of pieces) {
      if (socket.destroyed) break
      socket.write(piece as string, 'latin1')
      await new Promise((resolve) => setImmediate(resolve))
    }
    return answer
  }
}

/** All that a connection brings until its other end closes it, in characters that are bytes. */
export function untilClosed(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let received = ''
    const giveUp = setTimeout(() => {
      socket.destroy()
      reject(new Error(`the connection stayed open after ${JSON.stringify(received)}`))
    }, PATIENCE_MS)
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => {
      received += text
    })
    socket.on('error', () => {})
    socket.once('end', () => socket.destroy())
    socket.once('close', () => {
      clearTimeout(giveUp)
      resolve(received)
    })
  })
}

export async function runEdge(
  t: Scope,
  sites: readonly SiteSnapshot[],
  overrides: Partial<typeof plainSnapshot> = {},
  certified: readonly string[] = sites.flatMap((site) => site.names),
): Promise<RunningEdge> {
  const log = new RecordingLog()
  const accesses: AccessEntry[] = []
  const supply = new Supply()
  const edge = new Edge({
    snapshot: { ...plainSnapshot, sites, ...overrides },
    log,
    accessLog: (entry) => accesses.push(entry),
    clock: systemClock,
    ticketSecrets: [ticketSecret()],
    fetchMaterial: supply.fetchMaterial,
    askForName: async (name) => assert.fail(`${name} is asked for`),
    tellSeen: () => {},
    randomBytes,
  })
  edge.changeCertificates(supply.change([await certificate('ecdsa-p256', ...certified)]))
  const ports = { http: await freePort(), https: await freePort() }
  const bound = await Promise.all(
    WAYS.map((way) => bindListeningSocket({ type: 'tcp', host: '127.0.0.1', port: ports[way] }, systemClock)),
  )
  await edge.listen(WAYS.map((protocol, at) => ({ protocol, fd: bound[at]!.fd, address: protocol })))
  t.after(() => edge.drain(0))
  return new RunningEdge(edge, log, accesses, ports, await rootPem())
}

/** The statuses of the responses in what a connection brought: lines that begin like one, for content here never does. */
export function statusesIn(answer: string): number[] {
  return [...answer.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status))
}
