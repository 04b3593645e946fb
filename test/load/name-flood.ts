import { createServer } from 'node:http'
import { connect } from 'node:net'
import { closeConnection, connectTls } from '../../bench/load/connection.ts'
import { memoryBytes, processTree } from '../../bench/process-tree.ts'
import { Castellan, makePlace, type Place } from '../e2e/castellan.ts'
import {
  extension,
  helloBody,
  message,
  record,
  serverName,
  uint16,
  vector8,
  vector16,
} from '../edge/client-hello/hello-bytes.ts'
import type { Scope } from './loaded.ts'
import { percentile, silentServer } from './stored-names.ts'

export type FloodOptions = {
  /** Invented names, each once. */
  readonly names: number
  /** Addresses of loopback that they come from: with one, its own limit would stop them all. */
  readonly addresses: number
  /** Connections at a time. */
  readonly atOnce: number
}

/** What a flood of invented names has cost. */
export type Flood = {
  /** By what they were answered: the description of a TLS alert, or what went wrong. */
  readonly answers: ReadonlyMap<string, number>
  /** Connections to the CA, orders in the log, and questions to the operator's program. */
  readonly calls: number
  readonly orders: number
  readonly questions: number
  /** Microseconds of CPU time for each name. */
  readonly workerMicros: number
  readonly supervisorMicros: number
  readonly seconds: number
  /** Bytes of both after a tenth of the names, and the most afterwards. */
  readonly earlyMemory: number
  readonly mostMemory: number
  /** Handshakes of a listed site meanwhile, in ms, in order of length. */
  readonly visits: readonly number[]
}

const VISIT_EVERY_MS = 100
const MEMORY_EVERY_MS = 1000
const TICKS_PER_SECOND = 100
const PATIENCE_MS = 30_000
const ALERT_RECORD = 21

/** The program with one worker, a listed site, and an operator's program that knows none of the names. */
export async function flood(t: Scope, { names, addresses, atOnce }: FloodOptions): Promise<Flood> {
  const ca = await silentServer(t)
  let questions = 0
  const ask = createServer((_request, response) => {
    questions++
    response.writeHead(404).end()
  })
  await new Promise<void>((resolve) => ask.listen(0, '127.0.0.1', resolve))
  t.after(() => ask.close())
  const { port: askPort } = ask.address() as { port: number }
  const { place, castellan } = await start(t, ca.port, askPort)
  const { pid } = castellan.process
  const before = cpuOf(pid!)
  const startedAt = performance.now()
  const memory: { readonly sent: number; readonly bytes: number }[] = []
  let sent = 0
  const meter = setInterval(() => memory.push({ sent, bytes: memoryBytes(pid!) }), MEMORY_EVERY_MS)
  const ending = new AbortController()
  const visiting = visitUntil(place, ending.signal)
  const answers = new Map<string, number>()
  const lane = async (): Promise<void> => {
    while (sent < names) {
      const answer = await present(place, sent++, addresses)
      answers.set(answer, (answers.get(answer) ?? 0) + 1)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, lane))
  const seconds = (performance.now() - startedAt) / 1000
  clearInterval(meter)
  ending.abort()
  memory.push({ sent, bytes: memoryBytes(pid!) })
  const after = cpuOf(pid!)
  const visits = await visiting
  const late = memory.filter((each) => each.sent >= names / 10).map(({ bytes }) => bytes)
  return {
    answers,
    calls: ca.calls(),
    orders: castellan.of('certificate-requested').filter(({ certificate }) => !`${certificate}`.startsWith('localhost'))
      .length,
    questions,
    workerMicros: ((after.workers - before.workers) * 1e6) / names,
    supervisorMicros: ((after.supervisor - before.supervisor) * 1e6) / names,
    seconds,
    earlyMemory: late[0]!,
    mostMemory: Math.max(...late),
    visits,
  }
}

async function start(t: Scope, caPort: number, askPort: number): Promise<{ place: Place; castellan: Castellan }> {
  const place = await makePlace({ access: 'off' })
  t.after(() => place.remove())
  await place.configure(`acceptTerms: true
workers: 1
issuers: { ca: { directory: "https://127.0.0.1:${caPort}/directory" } }
sites:
  localhost: { upstream: "http://127.0.0.1:1", certificate: { keys: [ecdsa-p256] } }
  "*": { upstream: "http://127.0.0.1:1", issuer: ca, onDemand: { ask: "http://127.0.0.1:${askPort}/may-i" } }
`)
  const castellan = new Castellan(place.folder)
  t.after(() => castellan.stop())
  await castellan.until('certificate-issued')
  await castellan.until('serving')
  return { place, castellan }
}

/** In seconds so far; children that were waited for included. */
function cpuOf(root: number): { readonly supervisor: number; readonly workers: number } {
  const sum = (isRoot: boolean): number =>
    processTree(root)
      .filter(({ pid }) => (pid === root) === isRoot)
      .reduce((ticks, each) => ticks + each.ticks, 0) / TICKS_PER_SECOND
  return { supervisor: sum(true), workers: sum(false) }
}

async function visitUntil({ httpsPort: port }: Place, signal: AbortSignal): Promise<number[]> {
  const times: number[] = []
  while (!signal.aborted) {
    const startedAt = performance.now()
    const socket = await connectTls({ port, name: 'localhost' })
    times.push(performance.now() - startedAt)
    await closeConnection(socket)
    await new Promise((resolve) => setTimeout(resolve, VISIT_EVERY_MS))
  }
  return times.sort((a, b) => a - b)
}

/** Comes for a name of its own as a client does, from an address of its own, and gives how that was answered. */
function present({ httpsPort: port }: Place, index: number, addresses: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', localAddress: addressOf(index % addresses), noDelay: true })
    let said = Buffer.alloc(0)
    socket.setTimeout(PATIENCE_MS, () => socket.destroy(new Error('silent')))
    socket.once('connect', () => socket.write(helloFor(nameOf(index))))
    socket.on('data', (chunk: Buffer) => {
      said = Buffer.concat([said, chunk])
    })
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    socket.once('close', () => resolve(said[0] === ALERT_RECORD ? `alert ${said[6]}` : `${said.length} bytes`))
    socket.once('end', () => socket.end())
  })
}

function addressOf(index: number): string {
  return `127.${1 + (index >> 14)}.${(index >> 7) & 127}.${1 + (index & 127)}`
}

/** Names that look made up, each of its own registered domain. */
function nameOf(index: number): string {
  return `www.${((index + 1) * 2_654_435_761).toString(36)}.com`
}

const SUPPORTED_VERSIONS = extension(43, vector8(uint16(0x0304)))
const SIGNATURE_ALGORITHMS = extension(13, vector16(uint16(0x0403, 0x0804)))

function helloFor(name: string): Buffer {
  return record(message(helloBody({ extensions: [serverName(name), SUPPORTED_VERSIONS, SIGNATURE_ALGORITHMS] })))
}

/** In words, for whoever runs it. */
export function describe({ names, addresses, atOnce }: FloodOptions, it: Flood): string {
  const answers = [...it.answers].sort(([, a], [, b]) => b - a).map(([what, count]) => `${count} × ${what}`)
  const mb = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`
  const [median, high] = [0.5, 0.99].map((part) => percentile(it.visits, part).toFixed(1))
  return [
    `${names} invented names from ${addresses} addresses, ${atOnce} at a time, in ${Math.round(it.seconds)} s`,
    `  answered by                ${answers.join(', ')}`,
    `  the CA was called          ${it.calls} times, ${it.orders} orders`,
    `  the operator's program was asked ${it.questions} times`,
    `  CPU time for each          ${it.workerMicros.toFixed(0)} µs in the worker, ${it.supervisorMicros.toFixed(0)} µs in the supervisor`,
    `  memory                     ${mb(it.earlyMemory)} after a tenth, ${mb(it.mostMemory)} at most after that`,
    `  a listed site meanwhile    ${it.visits.length} handshakes, median ${median} ms, 99 % within ${high} ms`,
  ].join('\n')
}
