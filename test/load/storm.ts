import { Agent, request } from 'node:http'
import type { Random } from '../../src/system/random.ts'
import { seededRandom } from '../fakes/seeded-random.ts'
import type { Mood, StormApp } from './storm-app.ts'

/** What clients saw. `failed`: 502 to 504; `passedOn`: the 500s of an application; `broken`: no whole answer. */
export type StormTally = {
  answered: number
  passedOn: number
  failed: number
  broken: number
  /** Milliseconds that requests took, in the order of their ends. */
  readonly times: number[]
  /** Answers by status. */
  readonly statuses: Record<string, number>
  /** What was not answered with 200, by its status and by how many applications were well then. */
  readonly moments: Map<string, number>
}

/** One change of an application's mood. */
export type Turn = { readonly atMs: number; readonly app: number; readonly mood: Mood }

const TROUBLES: readonly Mood[] = ['dead', 'hanging', 'failing']
const CLIENTS = 32
/** Of a client, between two requests. */
const PAUSE_MS = 20
/** Longer than a proxy takes to give up on anything here. */
const PATIENCE_MS = 30_000

/** The weather for so long, the same for everybody with the same seed: at times all applications are in trouble at once. */
export function forecast(apps: number, ms: number, seed: number): Turn[] {
  const random = seededRandom(seed)
  const turns: Turn[] = []
  for (let app = 0; app < apps; app++)
    for (let atMs = 2_000 + random() * 5_000; atMs < ms - 5_000; ) {
      turns.push({ atMs, app, mood: TROUBLES[Math.floor(random() * TROUBLES.length)]! })
      atMs += 500 + random() * 7_500
      turns.push({ atMs, app, mood: 'well' })
      atMs += 2_000 + random() * 8_000
    }
  return turns.sort((a, b) => a.atMs - b.atMs)
}

/** A proxy in front of the applications, by the path that its clients ask for, and what these saw. */
export type Front = { readonly name: string; readonly port: number; readonly tally: StormTally }

export function newTally(): StormTally {
  return { answered: 0, passedOn: 0, failed: 0, broken: 0, times: [], statuses: {}, moments: new Map() }
}

/** Has clients ask all of these at the same time, so that they have the same weather, applications and machine. */
export async function storm(
  fronts: readonly Front[],
  apps: readonly StormApp[],
  turns: readonly Turn[],
  ms: number,
): Promise<void> {
  for (const app of apps) await app.turn('well')
  const start = performance.now()
  const random = seededRandom(7)
  const goesOn = (): boolean => performance.now() - start < ms
  const clients = fronts.flatMap((front) => Array.from({ length: CLIENTS }, () => client(front, apps, goesOn, random)))
  await Promise.all([follow(apps, turns, start), ...clients])
  for (const app of apps) await app.turn('dead')
}

async function follow(apps: readonly StormApp[], turns: readonly Turn[], start: number): Promise<void> {
  for (const { atMs, app, mood } of turns) {
    await pause(Math.max(0, start + atMs - performance.now()))
    await apps[app]!.turn(mood)
  }
}

async function client(
  { name, port, tally }: Front,
  apps: readonly StormApp[],
  goesOn: () => boolean,
  random: Random,
): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  while (goesOn()) {
    const since = performance.now()
    const status = await ask(port, `/${name}`, agent)
    tally.times.push(performance.now() - since)
    note(tally, status, apps.filter(({ mood }) => mood === 'well').length)
    await pause(PAUSE_MS * (0.5 + random()))
  }
  agent.destroy()
}

function note(tally: StormTally, status: number, well: number): void {
  tally.statuses[status] = (tally.statuses[status] ?? 0) + 1
  if (status === 200) tally.answered++
  else if (status === 500) tally.passedOn++
  else if (status >= 502 && status <= 504) tally.failed++
  else tally.broken++
  if (status === 200) return
  const moment = `${status} with ${well} well`
  tally.moments.set(moment, (tally.moments.get(moment) ?? 0) + 1)
}

/** The status; 0 without a whole answer. */
function ask(port: number, path: string, agent: Agent): Promise<number> {
  return new Promise((resolve) => {
    const asked = request({ port, host: '127.0.0.1', path, agent, headers: { host: 'localhost' } }, (response) => {
      response.resume()
      response.on('end', () => resolve(response.complete ? (response.statusCode ?? 0) : 0))
      response.on('error', () => resolve(0))
    })
    asked.setTimeout(PATIENCE_MS, () => asked.destroy())
    asked.on('error', () => resolve(0))
    asked.end()
  })
}

/** The time within which so many of a hundred requests were answered. */
export function percentile(times: readonly number[], part: number): number {
  const sorted = times.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * part) / 100))] ?? 0
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
