import type { Rules } from './agenda.ts'
import type { Inventory, Item } from './inventory.ts'
import type { LimitedRenewals } from './limited-renewals.ts'
import type { Outages } from './outages.ts'
import type { Step } from './plan.ts'
import { conclude } from './wish.ts'

/** How certificates are planned: by what there is of each, what was tried, and which CAs are out of order. */
export function agendaRules(
  inventory: Inventory,
  outages: Outages,
  limited: Pick<LimitedRenewals, 'deferred'>,
): Rules<Item> {
  return {
    plan: (item, now) => inventory.stepFor(item, now),
    goodUntil: ({ held }) => held?.certificate.notAfter,
    failures: ({ wanted }) => inventory.attempts.of(wanted.id)?.failures ?? 0,
    deskOf: ({ wanted }) => wanted.issuers[0]!,
    // A CA that is asked for the same names twice at once may give the same order twice.
    namesOf: ({ names }) => names,
    maxAtOnce: () => ordersAtOnce(inventory.items.length),
    // Certificates of the same issuers are held and let go together.
    heldBy: (item) => (inventory.outageFor(item) === undefined ? undefined : `outage ${item.wanted.issuers.join()}`),
    suspicion: ({ wanted }) => outages.suspicion(wanted.issuers[0]!, wanted.id),
    deferred: (item, step) => {
      concludeDeferred(item, step)
      limited.deferred(item, step)
    },
  }
}

/** Enough to hide a CA's slowness, and far below the 10 connections an address may have at some. */
const FEW_AT_ONCE = 5
/** One more for each so many certificates: a million, all revoked, are to be replaced within days. */
const CERTIFICATES_PER_ORDER = 20_000
const MANY_AT_ONCE = 50

/** Orders at a time from one issuer, and questions at a time. A CA that hangs takes none from another. */
export function ordersAtOnce(certificates: number): number {
  return Math.min(FEW_AT_ONCE + Math.floor(certificates / CERTIFICATES_PER_ORDER), MANY_AT_ONCE)
}

/** Whoever asked for what is not ordered now is told when it will be. */
function concludeDeferred(item: Item, step: Step): void {
  const { because } = step
  if (step.type === 'keep') conclude(item, { status: 'not-due', renewAt: step.renewAt, because })
  else if (step.type === 'paused') conclude(item, { status: 'failed', reason: because })
  else if (step.limit !== undefined) conclude(item, { status: 'limited', at: step.at, because })
  else conclude(item, { status: 'not-due', renewAt: step.at, because })
}
