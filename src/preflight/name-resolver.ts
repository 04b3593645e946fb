import type { CaaRecord } from 'node:dns'
import { Resolver } from 'node:dns/promises'
import { errorCode } from '../errors.ts'

export type { CaaRecord }

/** What can be found out about names. `undefined`: nobody answered, so nothing is known. */
export interface NameResolver {
  /** IPv4 and IPv6 addresses; empty if the name has none, or does not exist. */
  addresses(name: string): Promise<readonly string[] | undefined>
  /** CAA records of this very name (RFC 8659); empty if it has none. */
  caa(name: string): Promise<readonly CaaRecord[] | undefined>
}

const TIMEOUT_MS = 3_000
const TRIES = 2

/** What a name server says when there is nothing to be said. */
const ABSENT = new Set(['ENOTFOUND', 'ENODATA'])

/** Asks the name servers that this machine is configured with. */
export function createNameResolver(): NameResolver {
  const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: TRIES })
  return {
    async addresses(name) {
      const [v4, v6] = await Promise.all([ask(() => resolver.resolve4(name)), ask(() => resolver.resolve6(name))])
      // One of the two that is known is enough to know that the name is there.
      if (v4 !== undefined && v6 !== undefined) return [...v4, ...v6]
      const known = v4 ?? v6 ?? []
      return known.length > 0 ? known : undefined
    },
    caa: (name) => ask(() => resolver.resolveCaa(name)),
  }
}

async function ask<T>(question: () => Promise<readonly T[]>): Promise<readonly T[] | undefined> {
  try {
    return await question()
  } catch (error) {
    return ABSENT.has(errorCode(error) ?? '') ? [] : undefined
  }
}
