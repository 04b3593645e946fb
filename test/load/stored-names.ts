import { createServer } from 'node:net'
import { join } from 'node:path'
import { closeConnection, connectTls } from '../../bench/load/connection.ts'
import { storeOnDemand } from '../../bench/peers/castellan-storage.ts'
import { memoryBytes } from '../../bench/process-tree.ts'
import { numberedNames } from '../../bench/site.ts'
import { Castellan, makePlace, type Place } from '../e2e/castellan.ts'
import type { Scope } from './loaded.ts'

export type StoredNamesOptions = {
  /** How many names are in the storage. */
  readonly stored: number
  /** How many of them clients come for, evenly among them. */
  readonly asked: number
  /** Clients at a time. */
  readonly atOnce: number
  readonly rounds: number
}

/** Milliseconds from the connection to the end of its handshake, in order of length. */
export type FirstUse = { readonly first: readonly number[]; readonly second: readonly number[] }

const KINDS = ['ecdsa-p256', 'rsa-2048'] as const
/** Of a name that is in use: they load code. */
const WARM_UP = 100

/**
 * What clients wait for who are the first to come for names on demand that the storage holds, in the program as it runs, and
 * what they wait for when they come again. The CA is a port that nobody may call.
 */
export async function measureFirstUse(
  t: Scope,
  { stored, asked, atOnce, rounds }: StoredNamesOptions,
  onRound: (round: FirstUse & { readonly memory: number }) => void = () => {},
): Promise<{ readonly calls: number; readonly rounds: readonly FirstUse[] }> {
  const ca = await silentServer(t)
  const place = await makePlace({ access: 'off' })
  t.after(() => place.remove())
  const authority = `https://127.0.0.1:${ca.port}/directory`
  const names = numberedNames(stored)
  await storeOnDemand(join(place.folder, 'data'), names, { kinds: KINDS, issuer: 'ca', authority })
  await configure(place, authority)
  const done: FirstUse[] = []
  for (let round = 0; round < rounds; round++) {
    const castellan = new Castellan(place.folder)
    t.after(() => castellan.stop())
    await castellan.until('serving', 1, 0, 120_000)
    const chosen = Array.from({ length: asked }, (_, index) => {
      const place = Math.floor(((index + round / rounds) * stored) / asked)
      return names[place]!
    })
    for (let count = 0; count < WARM_UP; count++) await handshakeMs(place, names.at(-1)!)
    const use = { first: await askAll(place, chosen, atOnce), second: await askAll(place, chosen, atOnce) }
    done.push(use)
    onRound({ ...use, memory: memoryBytes(castellan.process.pid!) })
    await castellan.stop()
  }
  return { calls: ca.calls(), rounds: done }
}

/** @param part as 0.99 for the time that 99 of 100 need at most. */
export function percentile(sorted: readonly number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))]!
}

async function configure(place: Place, directory: string): Promise<void> {
  await place.configure(`acceptTerms: true
workers: 1
issuers: { ca: { directory: "${directory}" } }
sites: { "*": { upstream: "http://127.0.0.1:1", issuer: ca, onDemand: { allow: ["*.test"] } } }
`)
}

async function askAll(place: Place, names: readonly string[], atOnce: number): Promise<number[]> {
  const times: number[] = []
  let next = 0
  const lane = async (): Promise<void> => {
    while (next < names.length) times.push(await handshakeMs(place, names[next++]!))
  }
  await Promise.all(Array.from({ length: atOnce }, lane))
  return times.sort((a, b) => a - b)
}

async function handshakeMs({ httpsPort: port }: Place, name: string): Promise<number> {
  const startedAt = performance.now()
  const socket = await connectTls({ port, name })
  const ms = performance.now() - startedAt
  const shown = socket.getPeerX509Certificate()?.subjectAltName
  await closeConnection(socket)
  if (shown !== `DNS:${name}`) throw new Error(`${name} was shown ${shown}`)
  return ms
}

/** Listens on loopback, counts who calls, and says nothing. */
export async function silentServer(t: Scope): Promise<{ readonly port: number; readonly calls: () => number }> {
  let calls = 0
  const server = createServer((socket) => {
    calls++
    socket.destroy()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('There is no port.')
  return { port: address.port, calls: () => calls }
}
