import type { Chooser } from './chooser.ts'
import type { Target } from './target.ts'

/**
 * In turns, smoothly: with weights 5, 1, 1 the order is a a b a c a a and not five times a at once. Each turn adds to each
 * target its share, and takes the sum of all from the one that is chosen, which is the richest. As in nginx.
 */
export class RoundRobin implements Chooser {
  readonly #credit = new WeakMap<Target, number>()

  choose(targets: readonly Target[], _request: unknown, now: number): Target {
    let sum = 0
    let chosen = targets[0]!
    let most = Number.NEGATIVE_INFINITY
    for (const target of targets) {
      const share = target.share(now)
      const credit = (this.#credit.get(target) ?? 0) + share
      this.#credit.set(target, credit)
      sum += share
      if (credit <= most) continue
      most = credit
      chosen = target
    }
    this.#credit.set(chosen, most - sum)
    return chosen
  }
}
