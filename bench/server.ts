import { setTimeout as wait } from 'node:timers/promises'
import { describeError } from '../src/errors.ts'
import { BenchError } from './bench-error.ts'
import { closeConnection, connectTls, get } from './load/connection.ts'
import type { Peer, Setup } from './peers/peer.ts'
import { cpuSeconds, memoryBytes, processTree } from './process-tree.ts'
import { Program } from './program.ts'
import type { Site } from './site.ts'

/** How often a server that starts is asked whether it serves. */
const POLL_MS = 20
/** Caddy takes 15 s for 5,000 sites on a fast machine, and 100,000 take longer. */
const START_TIMEOUT_MS = 300_000

/** A peer that serves. */
export class Server {
  readonly port: number
  readonly sites: readonly Site[]
  /** From the start of the program until its first and its last site have answered. */
  readonly startSeconds: number
  /** Protocol and cipher suite, as agreed on with this Node. */
  readonly tls: string
  readonly #program: Program

  private constructor(program: Program, { port, sites }: Setup, startSeconds: number, tls: string) {
    this.#program = program
    this.port = port
    this.sites = sites
    this.startSeconds = startSeconds
    this.tls = tls
  }

  /** Throws BenchError if it does not come to serve in time. */
  static async start(peer: Peer, setup: Setup, env: Readonly<Record<string, string>> = {}): Promise<Server> {
    const command = await peer.configure(setup)
    const startedAt = performance.now()
    const program = await Program.start({ ...command, env: { ...command.env, ...env } }, setup.folder)
    try {
      const tls = await serving(setup, program, startedAt)
      return new Server(program, setup, (performance.now() - startedAt) / 1000, tls)
    } catch (error) {
      await program.stop()
      throw error
    }
  }

  get cpuSeconds(): number {
    this.#program.checkAlive()
    return cpuSeconds(this.#program.pid)
  }

  get memoryBytes(): number {
    this.#program.checkAlive()
    return memoryBytes(this.#program.pid)
  }

  /** The ids of its processes, the one that was started first. */
  get pids(): number[] {
    return processTree(this.#program.pid).map(({ pid }) => pid)
  }

  stop(): Promise<void> {
    return this.#program.stop()
  }
}

/** Resolves to what was agreed on for TLS. */
async function serving({ port, sites }: Setup, program: Program, startedAt: number): Promise<string> {
  for (;;) {
    try {
      await ask(port, sites[0]!)
      return await ask(port, sites.at(-1)!)
    } catch (cause) {
      program.checkAlive()
      if (performance.now() - startedAt > START_TIMEOUT_MS)
        throw new BenchError(
          'not-serving',
          `it does not serve after ${START_TIMEOUT_MS / 1000} s: ${describeError(cause)}`,
        )
    }
    await wait(POLL_MS)
  }
}

async function ask(port: number, { name }: Site): Promise<string> {
  const socket = await connectTls({ port, name })
  try {
    await get(socket, name)
    return `${socket.getProtocol()} ${socket.getCipher().standardName}`
  } finally {
    await closeConnection(socket)
  }
}
