import { constants } from 'node:fs'
import { access, stat, statfs } from 'node:fs/promises'
import { connect } from 'node:net'
import { networkInterfaces } from 'node:os'
import { dirname } from 'node:path'
import type { ListenAddress } from '../config/listen-address.ts'
import { describeError, errorCode } from '../errors.ts'
import type { Clock } from '../system/clock.ts'
import { withDeadline } from '../system/deadline.ts'
import type { Finding } from './finding.ts'

/** A certificate with its key has 10 kB; who has less than this cannot write a hundred of them. */
const LEAST_FREE_BYTES = 1024 * 1024
/** Below it logs will soon fill the disk. */
const LITTLE_FREE_BYTES = 100 * 1024 * 1024
const CONNECT_MS = 3_000

/** The addresses of this machine's interfaces, loopback included. */
export function interfaceAddresses(): Set<string> {
  return new Set(Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address)))
}

/** Whether the storage folder can be used, or made: nothing is written. */
export async function examineStorage(folder: string): Promise<Finding> {
  const finding = { check: 'storage', subject: folder } as const
  try {
    const mode = (await stat(folder)).mode & 0o777
    await access(folder, constants.R_OK | constants.W_OK | constants.X_OK)
    const free = await freeBytes(folder)
    const room = `${Math.floor(free / LEAST_FREE_BYTES)} MiB free`
    const advice = 'Make room: what cannot be stored is lost with the next restart.'
    if (free < LEAST_FREE_BYTES) return { ...finding, level: 'fail', seen: room, advice }
    if (free < LITTLE_FREE_BYTES) return { ...finding, level: 'warn', seen: room, advice }
    if ((mode & 0o077) === 0) return { ...finding, level: 'ok', seen: `its owner's alone, ${room}` }
    const seen = `open to others (mode ${mode.toString(8)}), and there are private keys in it`
    return { ...finding, level: 'warn', seen, advice: 'The next start closes it to all but its owner.' }
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return examineParent(folder)
    const advice = 'It must belong to whoever runs Castellan; run this command as that user too.'
    return { ...finding, level: 'fail', seen: describeError(error), advice }
  }
}

async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder)
  return bavail * bsize
}

async function examineParent(folder: string): Promise<Finding> {
  const finding = { check: 'storage', subject: folder } as const
  for (let parent = dirname(folder); ; parent = dirname(parent)) {
    try {
      await access(parent, constants.W_OK | constants.X_OK)
      return { ...finding, level: 'ok', seen: 'not there yet, and made at the first start' }
    } catch (error) {
      if (errorCode(error) === 'ENOENT' && parent !== dirname(parent)) continue
      return {
        ...finding,
        level: 'fail',
        seen: `cannot be made: ${describeError(error)}`,
        advice: `Make ${folder} yourself.`,
      }
    }
  }
}

/** Where a listener of ours is reached from this machine; undefined for a descriptor, whose address nobody says. */
export function doorOf(
  address: ListenAddress,
): { readonly host: string; readonly port: number } | { readonly path: string } | undefined {
  switch (address.type) {
    case 'tcp': {
      const isAny = address.host === undefined || address.host === '0.0.0.0'
      return { host: isAny ? '127.0.0.1' : address.host === '::' ? '::1' : address.host!, port: address.port }
    }
    case 'unix':
      return { path: address.path }
    case 'fd':
      return undefined
    default:
      return address satisfies never
  }
}

/** Whether a program that runs is reached where the config says that it listens. `spoken` is how the config writes it. */
export async function examineListener(address: ListenAddress, spoken: string, clock: Clock): Promise<Finding> {
  const finding = { check: 'ports', subject: spoken } as const
  const door = doorOf(address)
  if (door === undefined) return { ...finding, level: 'ok', seen: 'handed over by whoever starts the program' }
  try {
    await reach(door, clock)
    return { ...finding, level: 'ok', seen: 'accepts connections' }
  } catch (error) {
    const advice = 'See the log; a program started before the config was changed listens where it said then.'
    return { ...finding, level: 'fail', seen: `accepts no connections: ${describeError(error)}`, advice }
  }
}

function reach(door: Exclude<ReturnType<typeof doorOf>, undefined>, clock: Clock): Promise<void> {
  const never = new AbortController().signal
  const expired = (): Error => new Error(`no answer within ${CONNECT_MS / 1000} seconds`)
  return withDeadline({ clock, ms: CONNECT_MS, signal: never, expired }, (signal) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const socket = connect(door, resolve)
    socket.once('error', reject)
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    return promise.finally(() => socket.destroy())
  })
}
