import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as wait } from 'node:timers/promises'

const PROGRAM = join(import.meta.dirname, '../../bin/castellan.js')

/** What the program logs, one object a line. */
export type LogLine = { readonly event: string; readonly level: string; readonly message: string } & Record<
  string,
  unknown
>

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const [port] = await freePorts(1)
  return port!
}

/** Below those that the system gives to whoever connects, so that none is taken before the program has it. */
const LOWEST_PORT = 12_000
const PORTS = 20_000

const given = new Set<number>()

/** Ports that were free a moment ago, and that no other caller here has got. */
async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = []
  while (ports.length < count) {
    const port = LOWEST_PORT + Math.floor(Math.random() * PORTS)
    if (given.has(port) || !(await isFree(port))) continue
    given.add(port)
    ports.push(port)
  }
  return ports
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, () => server.close(() => resolve(true)))
  })
}

/** A folder for one test, with a config in it. */
export type Place = {
  readonly folder: string
  readonly httpsPort: number
  readonly httpPort: number
  /** Writes castellan.yaml: what is common to all tests, and then `config`. */
  configure(config: string): Promise<void>
  remove(): Promise<void>
}

/** `access` is what `log.access` says. */
export async function makePlace({ access = 'on' } = {}): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), 'castellan-e2e-'))
  const [httpsPort, httpPort] = (await freePorts(2)) as [number, number]
  const head = `storage: ./data
listen: { https: "127.0.0.1:${httpsPort}", http: "127.0.0.1:${httpPort}" }
log: { format: json, level: debug, access: ${access} }
`
  return {
    folder,
    httpsPort,
    httpPort,
    configure: (config) => writeFile(join(folder, 'castellan.yaml'), head + config),
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}

/** A running program, as its operator sees it. */
export class Castellan {
  readonly process: ChildProcess
  readonly lines: LogLine[] = []
  /** Everything that it printed and that is no log line. */
  text = ''
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
  #onLine: () => void = () => {}

  /**
   * @param fds what it inherits, from descriptor 3 on.
   * @param command what starts it: the sources of this checkout unless given.
   */
  constructor(
    folder: string,
    args: readonly string[] = ['run'],
    env: NodeJS.ProcessEnv = process.env,
    fds: readonly number[] = [],
    [file, ...first]: readonly [string, ...string[]] = [process.execPath, PROGRAM],
  ) {
    const stdio = ['ignore', 'pipe', 'pipe', ...fds] as const
    this.process = spawn(file, [...first, ...args], { cwd: folder, env, stdio: [...stdio] })
    for (const stream of [this.process.stdout!, this.process.stderr!])
      createInterface(stream).on('line', (line) => this.#read(line))
    this.exited = once(this.process, 'close').then(([code, signal]) => ({ code, signal }))
  }

  /** The lines of an event, from the `since`th line on. */
  of(event: string, since = 0): LogLine[] {
    return this.lines.slice(since).filter((line) => line.event === event)
  }

  /** Waits until the log has `count` lines that a condition accepts. Rejects when the time is over, quoting the log. */
  async until(
    condition: string | ((line: LogLine) => boolean),
    count = 1,
    since = 0,
    withinMs = 30_000,
  ): Promise<LogLine[]> {
    const accepts = typeof condition === 'string' ? (line: LogLine) => line.event === condition : condition
    const giveUp = Date.now() + withinMs
    for (;;) {
      const found = this.lines.slice(since).filter(accepts)
      if (found.length >= count) return found
      const exit = await Promise.race([
        this.exited,
        wait(Math.max(0, giveUp - Date.now()), undefined, { ref: false }),
        new Promise<undefined>((resolve) => {
          this.#onLine = () => resolve(undefined)
        }),
      ])
      if (exit !== undefined || Date.now() >= giveUp)
        throw new Error(`${condition} was not logged ${count} times: ${this.text}\n${this.#tail()}`)
    }
  }

  /** Ends it as an operator would, and gives the exit code. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    this.process.kill(signal)
    return (await this.exited).code
  }

  #read(line: string): void {
    try {
      this.lines.push(JSON.parse(line))
    } catch {
      this.text += `${line}\n`
    }
    this.#onLine()
  }

  #tail(): string {
    return this.lines
      .filter(({ event }) => event !== 'request')
      .slice(-30)
      .map((line) => JSON.stringify(line))
      .join('\n')
  }
}
