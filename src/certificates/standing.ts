import type { HeldBack, OutOfOrder, Standing } from './attention.ts'
import type { Inventory, Item } from './inventory.ts'
import type { OwnCertificates, OwnFiles } from './own-files.ts'
import { isOnDemandId } from './place.ts'
import { isOrder } from './plan.ts'

/** How it stands with all that there is, for whoever told of it before a restart. */
export function standingOf(
  inventory: Inventory,
  own: OwnCertificates,
  files: readonly OwnFiles[],
  now: number,
): Standing {
  const { items, attempts, held } = inventory
  const isSettled = (item: Item): boolean =>
    attempts.of(item.wanted.id) === undefined && inventory.stepFor(item, now).type === 'keep'
  return {
    wanted: items.map((item) => ({ wanted: item.wanted, isSettled: isSettled(item) })),
    fingerprints: new Set([...held, ...own.held].map(({ certificate }) => certificate.fingerprint)),
    ownFiles: new Set(files.flatMap((each) => each.files.map(({ certificate }) => certificate))),
  }
}

/** The sites' certificates that an outage keeps from being ordered. */
export function heldBackBy({ issuer }: OutOfOrder, inventory: Inventory, now: number): HeldBack[] {
  return inventory.items
    .filter((item) => item.wanted.issuers.includes(issuer) && isHeldBack(item, inventory, now))
    .map((item) => ({ wanted: item.wanted, serving: item.held ?? item.standIns[0]?.stored }))
}

/** When the first certificate ends that would be renewed there; Infinity without one. What has ended already ends no more. */
export function nextEndAt(issuer: string, { items }: Pick<Inventory, 'items'>, now: number): number {
  let next = Number.POSITIVE_INFINITY
  for (const { wanted, held } of items) {
    const end = held?.certificate.notAfter ?? 0
    if (end > now && end < next && wanted.issuers.includes(issuer)) next = end
  }
  return next
}

function isHeldBack(item: Item, inventory: Inventory, now: number): boolean {
  const outage = isOnDemandId(item.wanted.id) ? undefined : inventory.outageFor(item)
  if (outage === undefined) return false
  const step = inventory.stepFor(item, now)
  return isOrder(step) && step.at <= Math.max(outage.probeAt, now)
}
