import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { promisify } from 'node:util'
import { BenchError } from './bench-error.ts'
import { killTree } from './process-tree.ts'

/** What is to be run, and how. */
export type Command = {
  readonly program: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

/** A program of the system, and the Debian package that brings it. */
export type Tool = { readonly program: string; readonly debianPackage: string }

/** Where Debian keeps servers, which the PATH of a plain user lacks. */
const SERVER_FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin']
const STOP_TIMEOUT_MS = 5_000
/** Of what a program last said, for the message when it fails. */
const KEPT_OUTPUT = 4_000

/** The path of a program; undefined if it is not installed. */
export function findTool({ program }: Tool): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== ''), ...SERVER_FOLDERS]
  return folders.map((folder) => join(folder, program)).find(isExecutable)
}

export function missingTool({ program, debianPackage }: Tool): string {
  return `needs the program ${program}; Debian: apt-get install ${debianPackage}`
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

const execute = promisify(execFile)

/** Runs a program to its end and gives all that it printed. Throws BenchError `program-missing` or `program-failed`. */
export async function runTool(tool: Tool, args: readonly string[], timeoutMs: number): Promise<string> {
  const path = findTool(tool)
  if (path === undefined) throw new BenchError('program-missing', missingTool(tool))
  try {
    const { stdout, stderr } = await execute(path, [...args], { timeout: timeoutMs, killSignal: 'SIGKILL' })
    return stdout + stderr
  } catch (cause) {
    const { killed, message } = cause as { killed?: boolean; message: string }
    const why = killed === true ? `did not end within ${timeoutMs / 1000} s` : `failed: ${message.trim()}`
    throw new BenchError('program-failed', `${tool.program} ${why}`, { cause })
  }
}

/** A server that runs in the background, and does not outlive us. */
export class Program {
  readonly pid: number
  readonly #child: ChildProcess
  readonly #name: string
  readonly #killAtExit: () => void
  #output = ''
  #ending: string | undefined

  private constructor(child: ChildProcess, pid: number, name: string) {
    this.pid = pid
    this.#child = child
    this.#name = name
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (chunk: Buffer) => {
        this.#output = (this.#output + chunk.toString()).slice(-KEPT_OUTPUT)
      })
    this.#killAtExit = () => killTree(pid)
    process.once('exit', this.#killAtExit)
    child.once('exit', (code, signal) => {
      this.#ending = signal === null ? `exit code ${code}` : `signal ${signal}`
    })
  }

  /** Throws BenchError `program-failed` if it cannot even be started. */
  static async start({ program, args, env = {} }: Command, folder: string): Promise<Program> {
    const child = spawn(program, args, {
      cwd: folder,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    try {
      await once(child, 'spawn')
    } catch (cause) {
      throw new BenchError('program-failed', `${program} cannot be started`, { cause })
    }
    return new Program(child, child.pid!, program)
  }

  /** Throws BenchError `program-ended`, with what it said last. */
  checkAlive(): void {
    if (this.#ending === undefined) return
    throw new BenchError('program-ended', `${this.#name} ended (${this.#ending}): ${this.#output.trim()}`)
  }

  /** Asks it to end, and after a while makes it and its children end. */
  async stop(): Promise<void> {
    if (this.#ending === undefined) {
      const exited = once(this.#child, 'exit')
      const inTime = new AbortController()
      this.#child.kill('SIGTERM')
      await Promise.race([exited, wait(STOP_TIMEOUT_MS, undefined, { signal: inTime.signal }).catch(() => {})])
      inTime.abort()
      if (this.#ending === undefined) killTree(this.pid)
      await exited
    }
    process.removeListener('exit', this.#killAtExit)
  }
}
