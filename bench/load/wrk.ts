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
