import { describeError } from '../src/errors.ts'
import { BenchError } from './bench-error.ts'
import type { Outcome, Reading, ScenarioFigures } from './figures.ts'
import type { Origin } from './origin/origin.ts'
import type { Peer, Presence } from './peers/peer.ts'
import { freePort, type Place } from './place.ts'
import { findTool, missingTool } from './program.ts'
import type { Scenario } from './scenarios/scenario.ts'
import { Server } from './server.ts'
import type { Site } from './site.ts'

export type Entrant = { readonly peer: Peer; readonly presence: Presence }

/** What all scenarios of a run have in common. */
export type Ground = {
  readonly place: Place
  readonly origin: Origin
  readonly rounds: number
  readonly seconds: number
  /** Told of what goes on, a line at a time. */
  readonly tell: (line: string) => void
  /** Told what each peer agreed on for TLS. */
  readonly onServing: (peer: Peer, tls: string) => void
}

/**
 * Measures all peers in turns: one round of each, then the next, so that what else the machine does falls on everyone. A
 * peer that fails is out, and the others go on.
 */
export class Contest {
  readonly #scenario: Scenario
  readonly #sites: readonly Site[]
  readonly #ground: Ground
  readonly #readings = new Map<Peer, Reading[]>()
  readonly #failures = new Map<Peer, string>()
  readonly #servers = new Map<Peer, Server>()

  constructor(scenario: Scenario, sites: readonly Site[], ground: Ground) {
    this.#scenario = scenario
    this.#sites = sites
    this.#ground = ground
  }

  async run(entrants: readonly Entrant[]): Promise<ScenarioFigures> {
    const { name, metrics, fresh } = this.#scenario
    const able = entrants.filter((entrant) => exclusion(this.#scenario, entrant) === undefined)
    const peers = able.map(({ peer }) => peer)
    const rounds = Math.min(this.#ground.rounds, this.#scenario.maxRounds ?? this.#ground.rounds)
    try {
      if (!fresh) for (const peer of peers) await this.#attempt(peer, 'warm-up', () => this.#warmUp(peer))
      for (let round = 1; round <= rounds; round++)
        for (const peer of peers) await this.#attempt(peer, `round ${round}/${rounds}`, () => this.#measure(peer))
    } finally {
      for (const server of this.#servers.values()) await server.stop()
    }
    return { scenario: name, metrics, outcomes: new Map(entrants.map((it) => [it.peer.name, this.#outcome(it)])) }
  }

  async #warmUp(peer: Peer): Promise<void> {
    const server = await this.#start(peer)
    this.#servers.set(peer, server)
    await this.#scenario.measure(server, this.#ground.seconds)
  }

  async #measure(peer: Peer): Promise<void> {
    const server = this.#servers.get(peer)
    const reading = await (server === undefined ? this.#measureFresh(peer) : this.#load(server))
    this.#readings.set(peer, [...(this.#readings.get(peer) ?? []), reading])
    const values = this.#scenario.metrics.map(({ name, unit }) => `${reading[name]?.toFixed(2)} ${unit}`)
    this.#ground.tell(`${this.#scenario.name} ${peer.name}: ${values.join(', ')}`)
  }

  async #measureFresh(peer: Peer): Promise<Reading> {
    const server = await this.#start(peer)
    try {
      return await this.#load(server)
    } finally {
      await server.stop()
    }
  }

  #load(server: Server): Promise<Reading> {
    return this.#scenario.measure(server, this.#ground.seconds)
  }

  async #start(peer: Peer): Promise<Server> {
    const server = await startServer(peer, this.#scenario, this.#sites, this.#ground)
    this.#ground.onServing(peer, server.tls)
    return server
  }

  async #attempt(peer: Peer, step: string, work: () => Promise<void>): Promise<void> {
    if (this.#failures.has(peer)) return
    try {
      await work()
    } catch (error) {
      const reason = `${step}: ${describeError(error)}`
      this.#failures.set(peer, reason)
      this.#ground.tell(`${this.#scenario.name} ${peer.name} failed: ${reason}`)
    }
  }

  #outcome(entrant: Entrant): Outcome {
    const excluded = exclusion(this.#scenario, entrant)
    if (excluded !== undefined) return excluded
    const reason = this.#failures.get(entrant.peer)
    if (reason !== undefined) return { type: 'failed', reason }
    return { type: 'measured', readings: this.#readings.get(entrant.peer) ?? [] }
  }
}

/** Starts a peer for a scenario. Throws BenchError. */
export async function startServer(
  peer: Peer,
  scenario: Scenario,
  sites: readonly Site[],
  { place, origin }: Pick<Ground, 'place' | 'origin'>,
  env: Readonly<Record<string, string>> = {},
): Promise<Server> {
  const folder = await place.folder(`${scenario.name}-${peer.name}`)
  const originPort = origin.ports[scenario.origin]
  return Server.start(peer, { folder, port: await freePort(), originPort, sites, ...scenario.extras }, env)
}

/** Throws BenchError `program-missing` if a scenario cannot be run on this machine. */
export function checkTool({ name, tool }: Scenario): void {
  if (tool === undefined || findTool(tool) !== undefined) return
  throw new BenchError('program-missing', `${name} ${missingTool(tool)}`)
}

/** Why a peer takes no part. */
function exclusion(scenario: Scenario, { peer, presence }: Entrant): Outcome | undefined {
  if (presence.type === 'absent') return presence
  const { workers = 1, hasAccessLog = false, storedSites } = scenario.extras ?? {}
  if (workers > 1 && !peer.abilities.includes('several-workers'))
    return { type: 'unable', reason: 'has one worker only' }
  if (hasAccessLog && !peer.abilities.includes('access-log'))
    return { type: 'unable', reason: 'is not set up to write an access log to a file here' }
  if (storedSites !== undefined && !peer.abilities.includes('storage'))
    return { type: 'unable', reason: 'has no storage of certificates, or is not set up with one here' }
  if (peer.protocols.includes(scenario.protocol)) return undefined
  return { type: 'unable', reason: `does not speak ${scenario.protocol === 'h2' ? 'HTTP/2' : 'HTTP/1.1'}` }
}
