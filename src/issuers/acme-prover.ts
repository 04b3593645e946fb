import type { Authorization, AuthorizationFailure } from '../acme/authorization.ts'
import type { Proof, Prover } from '../acme/proof.ts'
import type { ChallengeAnswer, ChallengePublisher } from '../challenges/challenge.ts'
import type { ChallengeType } from '../challenges/solver.ts'
import { solvers } from '../challenges/solvers.ts'
import { describeError } from '../errors.ts'
import type { Clock } from '../system/clock.ts'
import { abortable, withDeadline } from '../system/deadline.ts'
import type { Log } from '../telemetry/log.ts'

/** Twice what the supervisor waits for a worker: an answer that stays behind is not worth an order, its name and its slot. */
const WITHDRAW_DEADLINE_MS = 10_000

/** Taking an answer away is not called off with the order that it was for. */
const IN_ANY_CASE = new AbortController().signal

export type ProverOptions = {
  /** In order of preference. */
  readonly challenges: readonly ChallengeType[]
  readonly publisher: ChallengePublisher
  readonly clock: Clock
  readonly log: Log
}

/** Answers challenges through the frontends, and remembers which types have failed for which name. */
export class ChallengeProver implements Prover {
  readonly #options: ProverOptions
  readonly #failed = new Map<string, Set<string>>()

  constructor(options: ProverOptions) {
    this.#options = options
  }

  choose({ name, identifier, challenges }: Authorization): Proof | undefined {
    for (const type of this.#untried(name)) {
      const challenge = challenges.find((offer) => offer.type === type && offer.status !== 'invalid')
      if (challenge?.token === undefined) continue
      const { token } = challenge
      return {
        challenge: { ...challenge, token },
        whileShown: async (keyAuthorization, signal, work) => {
          const task = { name: identifier.value, token, keyAuthorization, now: this.#options.clock.now() }
          return this.#whilePublished(await solvers[type](task), signal, work)
        },
      }
    }
    return undefined
  }

  /** Takes failures into account. Whether there is another offered type to try for every name that failed. */
  learn(failures: readonly AuthorizationFailure[]): boolean {
    for (const { name, challengeType } of failures)
      if (challengeType !== undefined) this.#failed.set(name, (this.#failed.get(name) ?? new Set()).add(challengeType))
    return failures.every(
      ({ name, challengeType, offered }) =>
        challengeType !== undefined && this.#untried(name).some((type) => offered.includes(type)),
    )
  }

  async #whilePublished<T>(answer: ChallengeAnswer, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    try {
      await abortable(this.#options.publisher.publish(answer), signal)
      return await work()
    } finally {
      await this.#withdraw(answer)
    }
  }

  /** An answer that stays behind is good for nothing: it must not hide whether the validation went well. */
  async #withdraw(answer: ChallengeAnswer): Promise<void> {
    const { clock, publisher } = this.#options
    const deadline = { clock, ms: WITHDRAW_DEADLINE_MS, signal: IN_ANY_CASE, expired: withdrawalLate }
    try {
      await withDeadline(deadline, (inTime) => abortable(publisher.withdraw(answer), inTime))
    } catch (error) {
      const message = `The answer to ${answer.type} for ${answer.name} could not be withdrawn: ${describeError(error)}`
      this.#options.log.warn('challenge-not-withdrawn', message, { name: answer.name, challengeType: answer.type })
    }
  }

  #untried(name: string): ChallengeType[] {
    const failed = this.#failed.get(name)
    return this.#options.challenges.filter((type) => failed?.has(type) !== true)
  }
}

function withdrawalLate(): Error {
  return new Error(
    `the frontends did not say within ${WITHDRAW_DEADLINE_MS / 1000} seconds that they have forgotten it`,
  )
}
