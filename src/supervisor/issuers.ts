import { randomBytes } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { type Limits, publishedLimits } from '../certificates/ledger/limits.ts'
import type { ChallengePublisher } from '../challenges/challenge.ts'
import type { AcmeIssuerConfig, Config } from '../config/config.ts'
import { builtInDirectories } from '../config/issuers.ts'
import { createAcmeIssuer } from '../issuers/acme.ts'
import { acmeIdentity } from '../issuers/acme-config.ts'
import { type InternalIssuer, internalIdentity } from '../issuers/internal.ts'
import type { Issuer, IssuerIdentity } from '../issuers/issuer.ts'
import { createKnocking } from '../preflight/knocking.ts'
import type { AskProbe } from '../preflight/look.ts'
import { createNameResolver } from '../preflight/name-resolver.ts'
import { probe } from '../preflight/probe.ts'
import type { Storage } from '../storage/storage.ts'
import type { Clock } from '../system/clock.ts'
import type { Random } from '../system/random.ts'
import type { Log } from '../telemetry/log.ts'

type Surroundings = {
  readonly storage: Storage
  readonly publisher: ChallengePublisher
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/**
 * Every issuer that the config has, by name. None of them talks to anybody before a certificate is asked of it. Those that
 * are the same in a former config are its very ones.
 */
export function createIssuers(
  config: Config,
  internal: InternalIssuer,
  surroundings: Surroundings,
  former?: { readonly config: Config; readonly issuers: ReadonlyMap<string, Issuer> },
): ReadonlyMap<string, Issuer> {
  const { issuers, contact, acceptTerms } = config
  const resolver = createNameResolver()
  const askProbe = createProbe(surroundings)
  const byName = new Map<string, Issuer>([[internal.name, internal]])
  for (const [name, issuer] of issuers) {
    const same = former && isSameIssuer(name, former.config, config) ? former.issuers.get(name) : undefined
    const settings = { ...withoutLimits(issuer), contact, acceptTerms }
    const around = { ...surroundings, resolver: isPublic(issuer) ? resolver : undefined, probe: askProbe }
    byName.set(name, same ?? createAcmeIssuer(settings, around))
  }
  return byName
}

/** One that has orders under way goes on with what it knows of its CA. */
function isSameIssuer(name: string, one: Config, other: Config): boolean {
  const [before, after] = [one, other].map(({ issuers, contact, acceptTerms }) => {
    const issuer = issuers.get(name)
    return { issuer: issuer && withoutLimits(issuer), contact, acceptTerms }
  })
  return isDeepStrictEqual(before, after)
}

/** The ledger's part: an issuer asks in the same way whatever they are. */
function withoutLimits({ rateLimits: _, ...issuer }: AcmeIssuerConfig): AcmeIssuerConfig {
  return issuer
}

/** The rate limits of the CA behind a directory: what it publishes, and what the config says instead. */
export function limitsOf({ issuers }: Pick<Config, 'issuers'>): (directory: string) => Limits {
  const byDirectory = new Map<string, Limits>()
  for (const { directory, rateLimits } of issuers.values()) {
    if (rateLimits === undefined) continue
    const { sameNames, ...others } = rateLimits
    const said = Object.entries({ ...others, sets: sameNames }).filter(([, limit]) => limit !== undefined)
    byDirectory.set(directory, { ...publishedLimits(directory), ...Object.fromEntries(said) })
  }
  return (directory) => byDirectory.get(directory) ?? publishedLimits(directory)
}

/** Knocks at names through the frontends of this program. */
export function createProbe({ publisher, clock }: Pick<Surroundings, 'publisher' | 'clock'>): AskProbe {
  const options = { publisher, clock, knocking: createKnocking(), randomBytes }
  const inAnyCase = new AbortController().signal
  return (name, addresses, challenge) => probe({ name, addresses, challenge }, options, inAnyCase)
}

/** A CA of one's own may know names that nobody else does. */
export function isPublic({ name, directory }: AcmeIssuerConfig): boolean {
  return builtInDirectories.get(name) === directory
}

/** The same issuers, as far as they can be known without the storage and the network. */
export function issuerIdentities({ issuers, contact, acceptTerms }: Config): ReadonlyMap<string, IssuerIdentity> {
  const byName = new Map([[internalIdentity.name, internalIdentity]])
  for (const [name, issuer] of issuers)
    byName.set(name, acmeIdentity({ ...withoutLimits(issuer), contact, acceptTerms }))
  return byName
}
