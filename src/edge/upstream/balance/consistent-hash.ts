import type { Fields } from '../../exchange/exchange.ts'
import { fieldValue } from '../../fields.ts'
import type { BalanceSnapshot } from '../../snapshot.ts'
import type { Balanced, Chooser } from './chooser.ts'
import { cookieValue } from './cookie.ts'
import type { Target } from './target.ts'

type HashSettings = Extract<BalanceSnapshot, { by: 'hash' }>

/**
 * What is equal in requests leads to the same target, in every worker and on every machine with the same config. Each pair of
 * a key and a target has a score, and the highest wins (rendezvous hashing, with weights as in Schindelhauer and Schomaker,
 * 2005): if a target is lost, only its own keys move, and each to a place of its own.
 */
export class ConsistentHash implements Chooser {
  readonly #settings: HashSettings
  /** For requests that have no key. */
  readonly #otherwise: Chooser
  readonly #seeds = new WeakMap<Target, number>()

  constructor(settings: HashSettings, otherwise: Chooser) {
    this.#settings = settings
    this.#otherwise = otherwise
  }

  choose(targets: readonly Target[], request: Pick<Balanced, 'fields' | 'clientAddress'>, now: number): Target {
    const key = this.#keyOf(request)
    if (key === undefined || key === '') return this.#otherwise.choose(targets, request, now)
    const hash = hashOf(key)
    let chosen = targets[0]!
    let best = Number.NEGATIVE_INFINITY
    for (const target of targets) {
      const part = (mix(hash ^ this.#seedOf(target)) + 0.5) / 2 ** 32
      const score = -target.share(now) / Math.log(part)
      if (score <= best) continue
      best = score
      chosen = target
    }
    return chosen
  }

  #keyOf({ fields, clientAddress }: { fields: Fields; clientAddress: string }): string | undefined {
    const settings = this.#settings
    switch (settings.of) {
      case 'clientAddress':
        return clientAddress
      case 'header':
        return fieldValue(fields, settings.name)
      case 'cookie':
        return cookieValue(fields, settings.name)
      default:
        return settings satisfies never
    }
  }

  #seedOf(target: Target): number {
    const known = this.#seeds.get(target)
    if (known !== undefined) return known
    const seed = mix(hashOf(target.url))
    this.#seeds.set(target, seed)
    return seed
  }
}

/** FNV-1a: 32 bits without a sign. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return hash >>> 0
}

/** The finalizer of MurmurHash3: each bit of what goes in changes half of those that come out. */
function mix(hash: number): number {
  let mixed = hash
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}
