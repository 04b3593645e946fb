import type { Chooser } from './chooser.ts'
import type { Target } from './target.ts'

/** The first of the config's that is there: the others stand by. */
export class FirstAvailable implements Chooser {
  choose(targets: readonly Target[]): Target {
    return targets[0]!
  }
}
