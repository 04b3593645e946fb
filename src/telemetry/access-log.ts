import type { Clock } from '../system/clock.ts'
import { escapeControls, formatJson } from './line-log.ts'
import type { LogFormat } from './log.ts'

/** One request as it ended. */
export type AccessEntry = {
  readonly client: string
  /** The site that took it, or undefined if none did. */
  readonly site: string | undefined
  readonly host: string
  readonly method: string
  /** Path and query as the client sent them. */
  readonly target: string
  /** `1.0`, `1.1` or `2`. */
  readonly version: string
  /** 0 if the client went away before an answer. */
  readonly status: number
  /** Of the response's body. */
  readonly bytes: number
  readonly durationMs: number
}

/** Takes one entry for each request. */
export type AccessLog = (entry: AccessEntry) => void

/** A line for each request: JSON, or what a person at a terminal reads at a glance. */
export function createAccessLog(format: LogFormat, clock: Clock, write: (line: string) => void): AccessLog {
  const formatLine = format === 'json' ? jsonLine : textLine
  return (entry) => write(formatLine(new Date(clock.now()).toISOString(), entry))
}

function jsonLine(time: string, entry: AccessEntry): string {
  return formatJson({ time, level: 'info', event: 'request', ...entry })
}

function textLine(
  time: string,
  { client, host, method, target, version, status, bytes, durationMs }: AccessEntry,
): string {
  const what = escapeControls(`${method} ${host}${target}`)
  return `${time.slice(0, 19)}Z ${status} ${what} HTTP/${version} ${bytes} B ${durationMs.toFixed(1)} ms ${client}\n`
}
