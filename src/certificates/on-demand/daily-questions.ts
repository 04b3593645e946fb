import { type Clock, pause } from '../../system/clock.ts'
import type { Random } from '../../system/random.ts'
import type { Learnt } from '../dormant.ts'
import type { WantedCertificate } from '../wanted.ts'

export type DailyQuestionsOptions = {
  readonly ask: (wanted: WantedCertificate, signal: AbortSignal) => Promise<Learnt | undefined>
  readonly clock: Clock
  readonly random: Random
}

/** Of one part of the names, which is looked through within five and a half minutes. */
const MAX_QUESTIONS = 800
/** So that a CA has three questions a second at most. */
const INTERVAL_MS = 300
/** With its own time for each, it is at the end of its patience before the next part is to begin. */
const MAX_ROUND_MS = 5 * 60 * 1000
/** A CA that does not answer so often in a row is left alone until the next part. */
const MAX_UNANSWERED = 3

/**
 * Questions to CAs about certificates at rest: when to renew each (RFC 9773), about once a day, for it may be revoked while
 * nobody comes for it. One after the other; where there are more than can be asked about in a day, the dice choose.
 */
export class DailyQuestions {
  readonly #options: DailyQuestionsOptions
  /** By part, how many certificates could be asked about the last time. */
  readonly #sizes = new Map<string, number>()

  constructor(options: DailyQuestionsOptions) {
    this.#options = options
  }

  /** One part of the names begins. */
  begin(part: string): Round {
    const size = this.#sizes.get(part) ?? 0
    const chance = Math.min(1, MAX_QUESTIONS / Math.max(1, size))
    return new Round(this.#options, chance, (count) => this.#sizes.set(part, count))
  }
}

export class Round {
  readonly #options: DailyQuestionsOptions
  readonly #chance: number
  readonly #counted: (count: number) => void
  readonly #endsAt: number
  #met = 0
  #asked = 0
  #unanswered = 0

  constructor(options: DailyQuestionsOptions, chance: number, counted: (count: number) => void) {
    this.#options = options
    this.#chance = chance
    this.#counted = counted
    this.#endsAt = options.clock.now() + MAX_ROUND_MS
  }

  /** When the first of these is to be renewed, as far as that was learnt now. Throws StorageError, or the signal's reason. */
  async dueAt(wanted: readonly WantedCertificate[], signal: AbortSignal): Promise<number | undefined> {
    const { ask, clock, random } = this.#options
    let first: number | undefined
    for (const each of wanted) {
      this.#counted(++this.#met)
      if (this.#isOver || random() >= this.#chance) continue
      const learnt = await ask(each, signal)
      if (learnt === undefined) continue
      this.#asked++
      this.#unanswered = learnt.isAnswered ? 0 : this.#unanswered + 1
      first = Math.min(first ?? learnt.dueAt, learnt.dueAt)
      await pause(clock, INTERVAL_MS, signal)
    }
    return first
  }

  get #isOver(): boolean {
    const isLate = this.#options.clock.now() >= this.#endsAt
    return isLate || this.#asked >= MAX_QUESTIONS || this.#unanswered >= MAX_UNANSWERED
  }
}
