import { BenchError } from '../bench-error.ts'
import { runTool, type Tool } from '../program.ts'

export const h2load: Tool = { program: 'h2load', debianPackage: 'nghttp2-client' }

export type H2Load = {
  readonly port: number
  readonly name: string
  readonly connections: number
  /** Streams that are open at once on each connection. */
  readonly streams: number
  readonly seconds: number
}

const GRACE_MS = 20_000

/** Loads over HTTP/2 and gives the number of requests that were answered. Throws BenchError if any was not. */
export async function loadWithH2load({ port, name, connections, streams, seconds }: H2Load): Promise<number> {
  const amount = ['-t1', `-c${connections}`, `-m${streams}`, `--duration=${seconds}`]
  const args = [...amount, `--connect-to=127.0.0.1:${port}`, `https://${name}:${port}/`]
  return parseH2load(await runTool(h2load, args, seconds * 1000 + GRACE_MS))
}

export type H2Transfer = {
  readonly port: number
  readonly name: string
  readonly path: string
  /** How many bodies, one after another on one connection. */
  readonly count: number
  /** What is sent, if it is not fetched. */
  readonly file?: string
}

const TRANSFER_TIMEOUT_MS = 60_000
/** Windows of 2^20-1, so that none of them holds up a body that flows. */
const WINDOW_BITS = 20

/** Fetches or sends large bodies over HTTP/2. Throws BenchError if any was not whole, or not answered. */
export async function transferWithH2load({ port, name, path, count, file }: H2Transfer): Promise<void> {
  const amount = ['-t1', '-c1', '-m1', `-n${count}`, `-w${WINDOW_BITS}`, `-W${WINDOW_BITS}`]
  const content = file === undefined ? [] : ['-d', file]
  const args = [...amount, ...content, `--connect-to=127.0.0.1:${port}`, `https://${name}:${port}${path}`]
  const answered = parseH2load(await runTool(h2load, args, TRANSFER_TIMEOUT_MS))
  if (answered !== count) throw new BenchError('load-failed', `h2load: ${answered} of ${count} bodies were answered`)
}

/** The number of requests in what h2load prints. Throws BenchError `load-failed` if it tells of errors. */
export function parseH2load(output: string): number {
  const [summary, succeeded, ...bad] =
    /^requests: .* (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout$/m.exec(output) ?? []
  const isHttp2 = /^Application protocol: h2$/m.test(output)
  const isClean = isHttp2 && Number(succeeded) > 0 && bad.every((count) => Number(count) === 0)
  if (isClean) return Number(succeeded)
  throw new BenchError('load-failed', isHttp2 ? `h2load: ${summary}` : `not HTTP/2: ${output.trim()}`)
}
