import type { Facts } from '../../src/errors.ts'
import type { Log, LogLevel } from '../../src/telemetry/log.ts'

export type LogEntry = { level: LogLevel; event: string; message: string; facts: Facts }

/** Keeps what was logged, for a test to look at. */
export class RecordingLog implements Log {
  readonly entries: LogEntry[] = []

  debug(event: string, message: string, facts: Facts = {}): void {
    this.entries.push({ level: 'debug', event, message, facts })
  }
  info(event: string, message: string, facts: Facts = {}): void {
    this.entries.push({ level: 'info', event, message, facts })
  }
  warn(event: string, message: string, facts: Facts = {}): void {
    this.entries.push({ level: 'warn', event, message, facts })
  }
  error(event: string, message: string, facts: Facts = {}): void {
    this.entries.push({ level: 'error', event, message, facts })
  }

  /** The entries with this event name. */
  of(event: string): LogEntry[] {
    return this.entries.filter((entry) => entry.event === event)
  }
}
