import { join } from 'node:path'
import { BenchError } from '../bench-error.ts'
import { runTool, type Tool } from '../program.ts'

export const wrk: Tool = { program: 'wrk', debianPackage: 'wrk' }

export type WrkLoad = {
  readonly url: string
  readonly connections: number
  readonly seconds: number
}

/** Beyond its own time: to connect, and to write what it has counted. */
const GRACE_MS = 20_000

/** Loads over HTTP/1.1 and gives the number of requests that were answered. Throws BenchError if any was not. */
export async function loadWithWrk({ url, connections, seconds }: WrkLoad): Promise<number> {
  const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '10s', url]
  return parseWrk(await runTool(wrk, args, seconds * 1000 + GRACE_MS))
}

/** The number of requests in what wrk prints. Throws BenchError `load-failed` if it tells of errors. */
export function parseWrk(output: string): number {
  const errors = /^ *(Socket errors:.*|Non-2xx or 3xx responses:.*)$/m.exec(output)?.[1]
  const requests = Number(/^ *(\d+) requests in /m.exec(output)?.[1] ?? 0)
  if (errors !== undefined) throw new BenchError('load-failed', `of ${requests} requests some failed: ${errors}`)
  if (requests === 0) throw new BenchError('load-failed', `wrk tells of no request: ${output.trim()}`)
  return requests
}

export type PacedLoad = { readonly url: string; readonly rate: number; readonly seconds: number }

/** What a load at a given rate met: milliseconds that half of all requests, and 99 of 100, took at most. */
export type Latency = { readonly rate: number; readonly p50: number; readonly p99: number }

const PACE = join(import.meta.dirname, 'paced.lua')
/** So many that each waits for some milliseconds before its next request, which is what wrk can wait by. */
const PACED_CONNECTIONS = 128
/** Enough to see how long answers take at that rate, which the waits are then shortened by. */
const TRIAL_SECONDS = 1

/** Loads over HTTP/1.1 at `rate` requests a second, whenever the answers come. Throws BenchError as loadWithWrk does. */
export async function loadAtRate({ url, rate, seconds }: PacedLoad): Promise<Latency> {
  const cycle = PACED_CONNECTIONS / rate
  const trial = await loadWaiting(url, cycle, TRIAL_SECONDS)
  const answering = PACED_CONNECTIONS / trial.rate - cycle
  return loadWaiting(url, Math.max(0, cycle - answering), seconds)
}

/** `wait` is the mean time before a request, in seconds. */
async function loadWaiting(url: string, wait: number, seconds: number): Promise<Latency> {
  const amount = ['-t1', `-c${PACED_CONNECTIONS}`, `-d${seconds}s`, '--timeout', '10s']
  const args = [...amount, '--latency', '-s', PACE, url, '--', String(2_000 * wait)]
  return parseLatency(await runTool(wrk, args, seconds * 1000 + GRACE_MS))
}

const UNIT_MS: Readonly<Record<string, number>> = { us: 1e-3, ms: 1, s: 1e3 }

/** From what `wrk --latency` prints. Throws BenchError `load-failed` if it tells of errors, or of no latency. */
export function parseLatency(output: string): Latency {
  parseWrk(output)
  const rate = Number(/^Requests\/sec: +([\d.]+)$/m.exec(output)?.[1])
  const percentile = (percent: number): number => {
    const [, value, unit = ''] = new RegExp(`^ +${percent}% +([\\d.]+)(us|ms|s)$`, 'm').exec(output) ?? []
    return Number(value) * (UNIT_MS[unit] ?? Number.NaN)
  }
  const latency = { rate, p50: percentile(50), p99: percentile(99) }
  if (Object.values(latency).every(Number.isFinite)) return latency
  throw new BenchError('load-failed', `wrk tells of no latency: ${output.trim()}`)
}
