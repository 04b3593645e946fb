import type { Facts } from '../errors.ts'
import type { Clock } from '../system/clock.ts'
import { type Log, type LogFormat, type LogLevel, logLevels } from './log.ts'

export type LineLogOptions = {
  readonly level: LogLevel
  readonly format: LogFormat
  readonly clock: Clock
  /** Takes whole lines, newline included. */
  readonly write: (line: string) => void
  /** Facts that go with every entry, such as the process that speaks. */
  readonly facts?: Facts
}

/**
 * A log of one line an entry: JSON for machines, or time, level and message for a person. Whatever an attacker gets into it
 * stays on its line: control characters are escaped in both formats.
 */
export function createLineLog({ level, format, clock, write, facts: always = {} }: LineLogOptions): Log {
  const least = logLevels.indexOf(level)
  const formatLine = format === 'json' ? jsonLine : textLine
  const at = (own: LogLevel) => {
    if (logLevels.indexOf(own) < least) return () => {}
    return (event: string, message: string, facts: Facts = {}): void =>
      write(formatLine(new Date(clock.now()), own, event, message, { ...always, ...facts }))
  }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

function jsonLine(time: Date, level: LogLevel, event: string, message: string, facts: Facts): string {
  return formatJson({ time: time.toISOString(), level, event, message, ...facts })
}

/** The sentence says all that a person needs; event and facts are for machines. */
function textLine(time: Date, level: LogLevel, _event: string, message: string): string {
  return `${time.toISOString().slice(0, 19)}Z ${level.toUpperCase().padEnd(5)} ${escapeControls(message)}\n`
}

/** Controls, and what ends a line or turns its direction in some terminals. */
const CONTROLS = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu

/** One line of JSON. The escapes are JSON's own, so nothing is lost by them. */
export function formatJson(entry: object): string {
  return `${escapeControls(JSON.stringify(entry))}\n`
}

/** Text from outside, made harmless for a terminal: `\x1b` is shown, not obeyed. */
export function escapeControls(text: string): string {
  return text.replace(CONTROLS, (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
