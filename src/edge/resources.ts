import { readFileSync } from 'node:fs'

/** Standard streams, listeners, logs and what the runtime has open. */
const OWN_DESCRIPTORS = 64
/** A connection of a client's, and one to an upstream for it. */
const DESCRIPTORS_PER_CONNECTION = 2

/** Open files that the system allows this process; undefined where it does not say. Node has raised it to the hard limit. */
export function maxOpenFiles(readText: () => string = readLimits): number | undefined {
  let limits: string
  try {
    limits = readText()
  } catch {
    return undefined
  }
  const [, soft] = /^Max open files\s+(\d+)/m.exec(limits) ?? []
  return soft === undefined ? undefined : Number(soft)
}

function readLimits(): string {
  return readFileSync('/proc/self/limits', 'utf8')
}

/** How many connections of clients find descriptors, of those that the config allows. */
export function connectionsThatFit(wanted: number, openFiles: number | undefined): number {
  if (openFiles === undefined) return wanted
  return Math.max(1, Math.min(wanted, Math.floor((openFiles - OWN_DESCRIPTORS) / DESCRIPTORS_PER_CONNECTION)))
}

/** What those that are being served may still need: less than this, and nobody new is let in. */
const MEMORY_RESERVE_BYTES = 64 * 1024 * 1024

/** Whether memory is short, in the container or on the machine. Asked once a second, as the system has to count. */
export class MemoryWatch {
  readonly #available: () => number
  #isShort = false

  constructor(available: () => number = () => process.availableMemory()) {
    this.#available = available
  }

  get isShort(): boolean {
    return this.#isShort
  }

  sweep(): void {
    this.#isShort = this.#available() < MEMORY_RESERVE_BYTES
  }
}
