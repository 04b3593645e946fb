import { readdirSync, readFileSync } from 'node:fs'

/** One process, as /proc/PID/stat has it (proc_pid_stat(5)). */
export type ProcessStat = {
  readonly pid: number
  readonly parent: number
  /** User and system time of the process and of those children that it has waited for, in clock ticks. */
  readonly ticks: number
}

/** sysconf(_SC_CLK_TCK): what the kernel shows programs is 100 on every architecture that Node runs on. */
const TICKS_PER_SECOND = 100

/** Throws RangeError for what is no line of /proc/PID/stat. */
export function parseStat(text: string): ProcessStat {
  // The program's name stands in parentheses and may hold any character, these included.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const field = (number: number): number => Number(fields[number - 3])
  const stat = {
    pid: Number.parseInt(text, 10),
    parent: field(4),
    ticks: field(14) + field(15) + field(16) + field(17),
  }
  if (Object.values(stat).every(Number.isInteger)) return stat
  throw new RangeError(`not from /proc/PID/stat: ${text}`)
}

/** The proportional set size in bytes: what is shared with other processes counts for its share only. */
export function parsePss(smapsRollup: string): number {
  const kib = /^Pss:\s+(\d+) kB$/m.exec(smapsRollup)?.[1]
  if (kib === undefined) throw new RangeError('smaps_rollup has no Pss')
  return Number(kib) * 1024
}

/** The process `root` and its descendants that are alive, itself first. */
export function processTree(root: number): ProcessStat[] {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => read(`/proc/${pid}/stat`).map(parseStat))
  const tree = all.filter(({ pid }) => pid === root)
  for (const { pid } of tree) tree.push(...all.filter(({ parent }) => parent === pid))
  return tree
}

/** The CPU time that a process and all its children have used so far; exact to 10 ms. */
export function cpuSeconds(root: number): number {
  return processTree(root).reduce((sum, { ticks }) => sum + ticks, 0) / TICKS_PER_SECOND
}

/** The memory of a process and all its children. What the kernel keeps for their sockets is not in it. */
export function memoryBytes(root: number): number {
  return processTree(root)
    .flatMap(({ pid }) => read(`/proc/${pid}/smaps_rollup`).map(parsePss))
    .reduce((sum, bytes) => sum + bytes, 0)
}

/** Ends a process and all its children at once. */
export function killTree(root: number): void {
  for (const { pid } of processTree(root)) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It has ended by itself.
    }
  }
}

/** Nothing for a process that ends meanwhile. */
function read(path: string): string[] {
  try {
    const text = readFileSync(path, 'utf8')
    return text === '' ? [] : [text]
  } catch {
    return []
  }
}
