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
  /** Certificates and keys are tried together, too, which takes a second for some thousands of them. */
  readonly isThorough: boolean

  constructor(env: Environment, files: TextFiles, isThorough: boolean) {
    this.env = env
    this.files = files
    this.isThorough = isThorough
  }

  /** However many they are: a file that is no config has as many as it has lines. */
  report(problems: readonly ConfigProblem[]): void {
    for (const problem of problems) this.problems.push(problem)
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
