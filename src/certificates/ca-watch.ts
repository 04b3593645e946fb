import { isObject } from '../acme/json-object.ts'
import { asSentence, describeError } from '../errors.ts'
import type { CaFacts, Issuer } from '../issuers/issuer.ts'
import type { KeyKind } from '../pki/key-kind.ts'
import type { Storage } from '../storage/storage.ts'
import type { Log } from '../telemetry/log.ts'
import { changesSince, type KnownCa, learn, learnRefusal, sightingOf } from './ca-facts.ts'
import { unpackChain } from './packed-certificate.ts'
import type { StoredCertificate } from './record.ts'

export type CaWatchOptions = { readonly storage: Storage; readonly log: Log }

/**
 * Remembers what was seen of each CA, over restarts, and says once what has changed when a certificate comes: a new
 * intermediate or root, another lifetime or way to sign, new terms, profiles or entries of the directory.
 */
export class CaWatch {
  readonly #options: CaWatchOptions
  readonly #onChange: (issuer: string, changes: readonly string[]) => void
  /** By issuer. */
  readonly #known = new Map<string, KnownCa | undefined>()

  constructor(options: CaWatchOptions, onChange: (issuer: string, changes: readonly string[]) => void) {
    this.#options = options
    this.#onChange = onChange
  }

  /** Looks at a certificate that has just come, and at what its CA said. Never rejects: it is the certificate that counts. */
  notice({ issuer, authority, packed }: StoredCertificate, said: CaFacts | undefined): Promise<void> {
    return this.#learn(issuer, (known) => {
      const seen = sightingOf(unpackChain(packed), said)
      const changes = changesSince(known, authority, seen)
      for (const change of changes) this.#say(issuer, authority, change)
      if (changes.length > 0) this.#onChange(issuer, changes)
      return learn(known, authority, seen)
    })
  }

  /** A CA has refused a kind of key. Never rejects. */
  refused({ name, authority }: Pick<Issuer, 'name' | 'authority'>, keyKind: KeyKind): Promise<void> {
    return this.#learn(name, (known) => {
      const learned = learnRefusal(known, authority, keyKind)
      if (learned !== undefined) this.#say(name, authority, `it takes keys of kind ${keyKind} no more`)
      return learned ?? known
    })
  }

  async #learn(issuer: string, from: (known: KnownCa | undefined) => KnownCa | undefined): Promise<void> {
    const { storage, log } = this.#options
    try {
      if (!this.#known.has(issuer)) {
        const stored = await recall(storage, issuer)
        // Another may have been quicker.
        if (!this.#known.has(issuer)) this.#known.set(issuer, stored)
      }
      const known = this.#known.get(issuer)
      const now = from(known)
      this.#known.set(issuer, now)
      if (now !== undefined && JSON.stringify(now) !== JSON.stringify(known))
        await storage.put(keyOf(issuer), format(now))
    } catch (error) {
      const message = `What was seen of the CA ${issuer} could not be remembered: ${describeError(error)}`
      log.warn('ca-facts-not-stored', message, { issuer })
    }
  }

  #say(issuer: string, authority: string, change: string): void {
    this.#options.log.warn('ca-changed', `The CA ${issuer} has changed: ${asSentence(change)}`, { issuer, authority })
  }
}

/** What cannot be read is as if it had not been seen: no change is told then, and the next one is. */
async function recall(storage: Storage, issuer: string): Promise<KnownCa | undefined> {
  const value = await storage.get(keyOf(issuer))
  try {
    const known: unknown = value && JSON.parse(value.toString('utf8'))
    return isKnownCa(known) ? known : undefined
  } catch {
    return undefined
  }
}

function isKnownCa(value: unknown): value is KnownCa {
  if (!isObject(value)) return false
  const { authority, kinds, refusedKeys, said } = value
  const areKinds = isObject(kinds) && Object.values(kinds).every(isKnownKind)
  return typeof authority === 'string' && areKinds && Array.isArray(refusedKeys) && (said === undefined || isSaid(said))
}

function isKnownKind(value: unknown): boolean {
  if (!isObject(value)) return false
  const { intermediates, roots, keyRules, lifetimeMs, hasOcsp } = value
  const areLists = [intermediates, roots, keyRules].every((list) => Array.isArray(list))
  return areLists && Number.isFinite(lifetimeMs) && typeof hasOcsp === 'boolean'
}

function isSaid(value: unknown): boolean {
  if (!isObject(value)) return false
  return [value.profiles, value.resources, value.caaIdentities].every((list) => Array.isArray(list))
}

function keyOf(issuer: string): string {
  return `ca-facts/${issuer}`
}

function format(known: KnownCa): Buffer {
  return Buffer.from(`${JSON.stringify(known, undefined, 2)}\n`)
}
