import type { Spot } from './document.ts'
import type { ConfigProblem, Refusal } from './problem.ts'
import type { Environment } from './substitution.ts'
import type { TextFiles } from './text-file.ts'

/** What turns up while one config is made ready, and what that needs of the world outside. */
export class Findings {
  readonly problems: ConfigProblem[] = []
  readonly warnings: ConfigProblem[] = []
  readonly env: Environment
  readonly files: TextFiles

  constructor(env: Environment, files: TextFiles) {
    this.env = env
    this.files = files
  }

  refuse(spot: Spot, refusal: Refusal): void {
    this.problems.push(spot.problem(refusal))
  }

  refuseKey(spot: Spot, refusal: Refusal): void {
    this.problems.push(spot.keyProblem(refusal))
  }

  warn(spot: Spot, refusal: Refusal): void {
    this.warnings.push(spot.problem(refusal))
  }
}
