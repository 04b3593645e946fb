import type { Facts } from '../errors.ts'

export const logLevels = ['debug', 'info', 'warn', 'error'] as const
export type LogLevel = (typeof logLevels)[number]

/** `text`, time, level and sentence, for a person at a terminal; `json`, one object a line, for a machine. */
export type LogFormat = 'text' | 'json'

/**
 * What happened, for the operator. `event` is a stable name to search for (`certificate-issued`), `message` one sentence
 * that a person can act on, `facts` what it is about.
 */
export interface Log {
  debug(event: string, message: string, facts?: Facts): void
  info(event: string, message: string, facts?: Facts): void
  warn(event: string, message: string, facts?: Facts): void
  error(event: string, message: string, facts?: Facts): void
}

const nothing = (): void => {}

/** For what is only looked at. */
export const silentLog: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing }
