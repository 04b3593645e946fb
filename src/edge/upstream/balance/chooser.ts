import type { Random } from '../../../system/random.ts'
import type { Fields } from '../../exchange/exchange.ts'
import type { BalanceSnapshot } from '../../snapshot.ts'
import { ConsistentHash } from './consistent-hash.ts'
import { FirstAvailable } from './first-available.ts'
import { LeastRequests } from './least-requests.ts'
import { PowerOfTwo } from './power-of-two.ts'
import { RoundRobin } from './round-robin.ts'
import type { Target } from './target.ts'

/** A request, as far as it decides where it goes. */
export interface Balanced {
  readonly fields: Fields
  readonly clientAddress: string
  /** Where it has been sent already, in vain. */
  readonly tried: readonly Target[]
}

/** Decides which target gets a request. */
export interface Chooser {
  /** One of these targets, of which there is at least one. They are in the order of the config. */
  choose(targets: readonly Target[], request: Pick<Balanced, 'fields' | 'clientAddress'>, now: number): Target
}

/** What the config's word means. */
export function createChooser(balance: BalanceSnapshot, random: Random): Chooser {
  switch (balance.by) {
    case 'roundRobin':
      return new RoundRobin()
    case 'random':
      return new PowerOfTwo(random)
    case 'leastRequests':
      return new LeastRequests(random)
    case 'firstAvailable':
      return new FirstAvailable()
    case 'hash':
      return new ConsistentHash(balance, new PowerOfTwo(random))
    default:
      return balance satisfies never
  }
}
