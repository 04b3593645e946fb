import { readFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem } from 'node:os'

export type Machine = {
  readonly cores: number
  readonly cpu: string
  readonly memoryGiB: number
  /** The distribution, by its own name. */
  readonly system: string
  readonly kernel: string
  /** Of the last minute, before anything was measured: above 0.5 others use the machine as well. */
  readonly load: string
}

export function machineFacts(): Machine {
  const processors = cpus()
  return {
    cores: processors.length,
    cpu: processors[0]?.model.trim() ?? 'unknown processor',
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: distribution(),
    kernel: release(),
    load: loadavg()[0]!.toFixed(2),
  }
}

function distribution(): string {
  try {
    return /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'Linux'
  } catch {
    return 'Linux'
  }
}
