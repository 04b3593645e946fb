import type { Random } from '../../../system/random.ts'
import type { Chooser } from './chooser.ts'
import { loadOf } from './power-of-two.ts'
import type { Target } from './target.ts'

/** The one with the fewest requests under way for its share; among equals one at random, as each worker counts its own only. */
export class LeastRequests implements Chooser {
  readonly #random: Random

  constructor(random: Random) {
    this.#random = random
  }

  choose(targets: readonly Target[], _request: unknown, now: number): Target {
    let chosen = targets[0]!
    let least = Number.POSITIVE_INFINITY
    let shares = 0
    for (const target of targets) {
      const load = loadOf(target, now)
      if (load > least) continue
      const share = target.share(now)
      shares = load < least ? share : shares + share
      // Whoever comes later takes the place with the probability that makes each as likely as its share.
      if (load < least || this.#random() * shares < share) chosen = target
      least = load
    }
    return chosen
  }
}
