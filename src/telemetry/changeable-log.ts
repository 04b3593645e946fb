import type { Facts } from '../errors.ts'
import type { Log } from './log.ts'

/** A log for which another can be put in its place while those who write to it go on. */
export class ChangeableLog implements Log {
  #log: Log

  constructor(log: Log) {
    this.#log = log
  }

  use(log: Log): void {
    this.#log = log
  }

  debug(event: string, message: string, facts?: Facts): void {
    this.#log.debug(event, message, facts)
  }

  info(event: string, message: string, facts?: Facts): void {
    this.#log.info(event, message, facts)
  }

  warn(event: string, message: string, facts?: Facts): void {
    this.#log.warn(event, message, facts)
  }

  error(event: string, message: string, facts?: Facts): void {
    this.#log.error(event, message, facts)
  }
}
