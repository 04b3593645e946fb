/** Retries for so many requests of the last ten seconds: what fails as a whole gets a fifth more to do, and not twice as much. */
const PART = 0.2
/** So that a site with few visitors has some. */
const ALWAYS = 10
const SECONDS = 10

/** Bounds the retries of a worker for an upstream. Times are milliseconds from any start. */
export class RetryBudget {
  readonly #requests = new Array<number>(SECONDS).fill(0)
  readonly #retries = new Array<number>(SECONDS).fill(0)
  #second = 0

  /** A request begins. */
  request(now: number): void {
    this.#turn(now)
    this.#requests[this.#second % SECONDS]!++
  }

  /** Whether there may be one more retry, which counts from now on. */
  spend(now: number): boolean {
    this.#turn(now)
    if (sum(this.#retries) + 1 > ALWAYS + PART * sum(this.#requests)) return false
    this.#retries[this.#second % SECONDS]!++
    return true
  }

  /** Forgets what is older than ten seconds. */
  #turn(now: number): void {
    const second = Math.floor(now / 1000)
    if (second === this.#second) return
    const first = Math.max(this.#second + 1, second - SECONDS + 1)
    for (let at = first; at <= second; at++) this.#requests[at % SECONDS] = this.#retries[at % SECONDS] = 0
    this.#second = second
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0)
}
