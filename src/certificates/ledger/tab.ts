import { AcmeProblemError } from '../../acme/problem.ts'
import { CastellanError } from '../../errors.ts'
import type { Spending } from '../../issuers/issuer.ts'
import type { Clock } from '../../system/clock.ts'
import { spokenTime } from '../spoken-time.ts'
import type { Charge } from './charge.ts'
import type { Ledger } from './ledger.ts'
import type { OrderFacts, Wait } from './order-facts.ts'
import { readRefusal } from './refusal.ts'

/** An issuer was not asked, as its CA would have refused. */
export class LimitError extends CastellanError {
  declare readonly code: 'rate-limit-spent'
  readonly retryAfterMs: number
  readonly isForesight = true

  constructor({ limit, at }: Wait, now: number) {
    super('rate-limit-spent', `it was not asked, as its rate limit is spent (${limit}) until ${spokenTime(at)}`)
    this.retryAfterMs = at - now
  }
}

/** Opened for each try. Throws LimitError. */
export function openTab(ledger: Ledger, order: OrderFacts, clock: Pick<Clock, 'now'>): Tab {
  const wait = ledger.limits.wait(order, clock.now())
  if (wait !== undefined) throw new LimitError(wait, clock.now())
  return new Tab(ledger, order, clock)
}

/** What one try at one issuer spends, from the moment in which it is opened to its end. */
export class Tab implements Spending {
  readonly #ledger: Ledger
  readonly #charge: Charge
  readonly #clock: Pick<Clock, 'now'>

  constructor(ledger: Ledger, order: OrderFacts, clock: Pick<Clock, 'now'>) {
    this.#ledger = ledger
    this.#clock = clock
    this.#charge = ledger.limits.charge(order, clock.now())
  }

  ordering(isReplacement: boolean): Promise<void> {
    this.#charge.placing(isReplacement, this.#clock.now())
    return this.#ledger.save()
  }

  orderLost(): void {
    this.#charge.lost(this.#clock.now())
  }

  authorizationsFailed(names: readonly string[]): void {
    this.#charge.failed(names, this.#clock.now())
  }

  accountMade(): void {
    this.#charge.registered(this.#clock.now())
  }

  /** A certificate came of it. */
  async issued(): Promise<void> {
    this.#charge.close(true, this.#clock.now())
    await this.#ledger.save()
  }

  /** Another issuer was asked after all: nothing was spent. Does nothing where the end is known. */
  leave(): void {
    this.#charge.close(false, this.#clock.now())
  }

  /** None did. A refusal because of a limit tells what others have spent. */
  async failed(error: unknown): Promise<void> {
    const now = this.#clock.now()
    this.#charge.close(false, now)
    if (error instanceof AcmeProblemError && error.problem.type === 'rateLimited') {
      const refusal = readRefusal(error.problem.detail, error.retryAfterMs, now)
      if (refusal !== undefined) this.#charge.refused(refusal, now)
    }
    await this.#ledger.save()
  }
}
