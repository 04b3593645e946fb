import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { ListenAddress } from '../config/listen-address.ts'
import type { TicketSecrets } from '../edge/tls/ticket-keys.ts'
import { CastellanError } from '../errors.ts'
import type { Clock } from '../system/clock.ts'
import { abortable, withDeadline } from '../system/deadline.ts'
import { startOwnProcess } from '../system/own-process.ts'
import type { ListeningSocket } from './listening-sockets.ts'
import type { UpstreamState } from './upstreams/upstream-watch.ts'
import { FIRST_INHERITED_FD } from './worker-process.ts'

/** Set for a program that is started to take over from another, by that other one. */
export const TAKEOVER_VARIABLE = 'CASTELLAN_TAKEOVER'

/** Both sides say which they speak: they may be of different releases. */
export const TAKEOVER_VERSION = 1

/** What the program that serves tells the one that is to take over. */
export type ToSuccessor =
  /** What it inherits: each socket with its address, and what clients hold session tickets with. */
  | {
      readonly type: 'heritage'
      readonly version: number
      readonly sockets: readonly { readonly address: ListenAddress; readonly fd: number }[]
      readonly ticketSecrets: TicketSecrets
    }
  /** The storage is free, and nothing is ordered by anybody. What is known of upstreams then, which nobody can change now. */
  | { readonly type: 'yours'; readonly upstreams?: UpstreamState }

export type FromSuccessor =
  /** The config is good and all sockets are there: the storage is all that it lacks. */
  | { readonly type: 'prepared' }
  | { readonly type: 'serving' }
  /** Why it gives up, for the operator. */
  | { readonly type: 'failed'; readonly message: string }

/** Another program was to take over, and did not: the former serves on. */
export class TakeoverError extends CastellanError {
  declare readonly code: 'takeover-failed'
}

export type TakeoverOptions = {
  /** The script that starts the program, as it is on the disk now, and its arguments. */
  readonly program: string
  readonly args: readonly string[]
  readonly sockets: readonly ListeningSocket[]
  readonly ticketSecrets: TicketSecrets
  /** Lets go of the storage, and of all that is decided: nobody else may decide at the same time. */
  readonly letGo: () => Promise<void>
  /** What is known of upstreams, asked for after that. */
  readonly upstreams: () => UpstreamState
  /** Takes it up again. */
  readonly takeBack: () => Promise<void>
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** To read a config with thousands of sites, and then to load as many certificates and to start workers. */
const PATIENCE_MS = 120_000

/**
 * Starts the program anew beside this one, on the same sockets, and resolves with its process id once it serves. Rejects with
 * TakeoverError, or the signal's reason, if it does not come to that, and then all is as it was.
 */
export async function handOver(options: TakeoverOptions): Promise<number> {
  const successor = startSuccessor(options)
  try {
    await reach('prepared', successor, options)
  } catch (error) {
    await end(successor)
    throw error
  }
  await options.letGo()
  try {
    successor.send({ type: 'yours', upstreams: options.upstreams() } satisfies ToSuccessor)
    await reach('serving', successor, options)
  } catch (error) {
    // It may have the storage by now, which goes with it.
    await end(successor)
    await options.takeBack()
    throw error
  }
  successor.disconnect()
  successor.unref()
  return successor.pid!
}

/** Node passes sockets to children alone: that one outlives its parent. */
function startSuccessor({ program, args, sockets, ticketSecrets }: TakeoverOptions): ChildProcess {
  const successor = startOwnProcess(program, args, {
    flags: [],
    env: { ...process.env, [TAKEOVER_VARIABLE]: '1' },
    stdio: ['inherit', 'inherit', 'inherit', 'ipc', ...sockets.map(({ fd }) => fd)],
  })
  successor.on('error', () => {})
  const heritage: ToSuccessor = {
    type: 'heritage',
    version: TAKEOVER_VERSION,
    sockets: sockets.map(({ address }, index) => ({ address, fd: FIRST_INHERITED_FD + index })),
    ticketSecrets,
  }
  if (successor.pid !== undefined) successor.send(heritage, () => {})
  return successor
}

/** Resolves when it says so. */
async function reach(
  step: Exclude<FromSuccessor['type'], 'failed'>,
  successor: ChildProcess,
  { clock, signal }: TakeoverOptions,
): Promise<void> {
  const expired = (): Error => failure(`The new program was not ${step} within ${PATIENCE_MS / 1000} seconds.`)
  await withDeadline({ clock, ms: PATIENCE_MS, signal, expired }, (inTime) => abortable(said(step, successor), inTime))
}

function said(step: FromSuccessor['type'], successor: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    successor.on('message', (message) => {
      const { type, ...rest } = message as FromSuccessor
      if (type === step) resolve()
      else if ('message' in rest) reject(failure(`The new program gives up: ${rest.message}`))
    })
    const gone = (): void => reject(failure('The new program ended before it served.'))
    if (successor.pid === undefined || successor.exitCode !== null || successor.signalCode !== null) gone()
    successor.once('exit', gone)
  })
}

async function end(successor: ChildProcess): Promise<void> {
  if (successor.pid === undefined || successor.exitCode !== null || successor.signalCode !== null) return
  const exited = once(successor, 'exit')
  successor.kill('SIGKILL')
  await exited
}

function failure(message: string): TakeoverError {
  return new TakeoverError('takeover-failed', message)
}
