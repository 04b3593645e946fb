import type { Random } from '../../../system/random.ts'
import type { Chooser } from './chooser.ts'
import type { Target } from './target.ts'

/**
 * Two at random, each as likely as its share is large, and of them the one that has less to do for its share. Close to the
 * least busy of all, without all workers running to the same one at the same time (Mitzenmacher, 2001).
 */
export class PowerOfTwo implements Chooser {
  readonly #random: Random

  constructor(random: Random) {
    this.#random = random
  }

  choose(targets: readonly Target[], _request: unknown, now: number): Target {
    if (targets.length === 1) return targets[0]!
    let sum = 0
    for (const target of targets) sum += target.share(now)
    const first = this.#draw(targets, sum, undefined, now)
    const second = this.#draw(targets, sum - first.share(now), first, now)
    return loadOf(second, now) < loadOf(first, now) ? second : first
  }

  /** One of all but `without`, whose shares add up to `sum`. */
  #draw(targets: readonly Target[], sum: number, without: Target | undefined, now: number): Target {
    let left = this.#random() * sum
    let last = targets[0]!
    for (const target of targets) {
      if (target === without) continue
      last = target
      left -= target.share(now)
      if (left < 0) break
    }
    return last
  }
}

/**
 * What it has to do for its share. Those that have nothing to do are equal, so that among them each is taken as often as its
 * share is large: else one of a small share, or one that has just come back, would get nothing where there is little to do.
 */
export function loadOf(target: Target, now: number): number {
  return target.underWay / target.share(now)
}
