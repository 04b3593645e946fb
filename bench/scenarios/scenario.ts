import type { Metric, Reading } from '../figures.ts'
import type { OriginKind } from '../origin/origin.ts'
import type { Extras, Protocol } from '../peers/peer.ts'
import type { Tool } from '../program.ts'
import type { Server } from '../server.ts'

/** Something that is done to every peer alike, and what it costs them. */
export type Scenario = {
  readonly name: string
  readonly metrics: readonly Metric[]
  readonly protocol: Protocol
  readonly origin: OriginKind
  /** Who makes the load; undefined if it is this program. */
  readonly tool?: Tool
  readonly siteNames: readonly string[]
  readonly extras?: Extras
  /**
   * Whether each round needs a server that has just been started. Else one serves all rounds, and the first measurement
   * is thrown away, for it warms up compilers and caches.
   */
  readonly fresh: boolean
  /** Where more would take too long, and tell no more. */
  readonly maxRounds?: number
  /** Loads the server once. `seconds`: how long, if the scenario goes by time. Throws BenchError. */
  measure(server: Server, seconds: number): Promise<Reading>
}

/** What a load that `load` makes costs the server: CPU seconds for each that it counts. */
export async function cpuSecondsEach(server: Server, load: () => Promise<number>): Promise<number> {
  const before = server.cpuSeconds
  const count = await load()
  return (server.cpuSeconds - before) / count
}
