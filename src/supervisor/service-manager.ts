import { execFile } from 'node:child_process'
import { describeError } from '../errors.ts'
import type { Log } from '../telemetry/log.ts'

/** Longer than a program takes that sends a datagram. */
const TIMEOUT_MS = 5_000

/**
 * Tells systemd how it stands with the program (sd_notify(3)), where it asks for that by NOTIFY_SOCKET. Node has no Unix
 * datagrams, so that systemd's own `systemd-notify` sends them: the unit needs NotifyAccess=all.
 */
export class ServiceManager {
  readonly #environment: NodeJS.ProcessEnv
  readonly #log: Log
  #telling: Promise<void> = Promise.resolve()

  constructor(environment: NodeJS.ProcessEnv, log: Log) {
    this.#environment = environment
    this.#log = log
  }

  /** @param mainPid another process than the one that was started, if it is. */
  ready(mainPid?: number): Promise<void> {
    return this.#tell(['READY=1', ...(mainPid === undefined ? [] : [`MAINPID=${mainPid}`])])
  }

  /** Until `ready`. `monotonicUs` is of CLOCK_MONOTONIC. */
  reloading(monotonicUs: bigint): Promise<void> {
    return this.#tell(['RELOADING=1', `MONOTONIC_USEC=${monotonicUs}`])
  }

  stopping(): Promise<void> {
    return this.#tell(['STOPPING=1'])
  }

  /** One after the other. Never rejects. */
  #tell(assignments: readonly string[]): Promise<void> {
    if (this.#environment.NOTIFY_SOCKET === undefined) return Promise.resolve()
    this.#telling = this.#telling.then(() => this.#send(assignments))
    return this.#telling
  }

  #send(assignments: readonly string[]): Promise<void> {
    const options = { env: this.#environment, timeout: TIMEOUT_MS }
    return new Promise((resolve) => {
      execFile('systemd-notify', assignments, options, (error) => {
        if (error !== null)
          this.#log.warn('notify-socket-failed', `systemd could not be told ${assignments[0]}: ${describeError(error)}`)
        resolve()
      })
    })
  }
}
