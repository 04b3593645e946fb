import { type Command, findTool, missingTool, runTool, type Tool } from '../program.ts'
import type { Site } from '../site.ts'

export type Protocol = 'http/1.1' | 'h2'

/** What a peer is to be: a port of 127.0.0.1, with these sites, all in front of one origin. */
export type Setup = {
  /** Its own, and empty. */
  readonly folder: string
  readonly port: number
  readonly originPort: number
  readonly sites: readonly Site[]
} & Extras

/** What a scenario may ask for beyond the usual. */
export type Extras = {
  /** Processes or threads that serve; 1 unless given. */
  readonly workers?: number
  /** A line of JSON for each request, in a file of the folder. */
  readonly hasAccessLog?: boolean
  /** So many sites more, each with a certificate in the storage, where a CA's certificates are kept. */
  readonly storedSites?: number
}

export type Ability = 'several-workers' | 'access-log' | 'storage'

export type Presence =
  | { readonly type: 'present'; readonly version: string }
  | { readonly type: 'absent'; readonly reason: string }

export const ACCESS_LOG = 'access.log'

/** A proxy that is measured. */
export interface Peer {
  readonly name: string
  readonly protocols: readonly Protocol[]
  /** Which of the extras it has. */
  readonly abilities: readonly Ability[]
  find(): Promise<Presence>
  /** Writes its config into its folder and says how it is started, in the foreground. */
  configure(setup: Setup): Promise<Command>
}

/** Connections to the origin that are kept while nobody needs them: as many as any scenario has requests at once. */
export const IDLE_UPSTREAM_CONNECTIONS = 128

/** Connections of clients that a peer must bear, with some to spare. */
export const MAX_CONNECTIONS = 4_000

const VERSION_TIMEOUT_MS = 10_000

/** Looks for an installed program; `pattern` finds the version in what `args` make it print. */
export async function findInstalled(tool: Tool, args: readonly string[], pattern: RegExp): Promise<Presence> {
  if (findTool(tool) === undefined) return { type: 'absent', reason: missingTool(tool) }
  const output = await runTool(tool, args, VERSION_TIMEOUT_MS)
  return { type: 'present', version: pattern.exec(output)?.[1] ?? output.trim() }
}
