import type { Clock } from '../system/clock.ts'
import type { Random } from '../system/random.ts'
import type { Inventory, Item } from './inventory.ts'
import { renewalTime } from './plan.ts'
import { busiestDay, spreadOut } from './spread.ts'

/** How renewals were spread out. */
export type Spread = {
  readonly renewals: number
  readonly moved: number
  readonly days: number
  /** The most in one day, and how many that was before. */
  readonly most: number
  readonly mostBefore: number
}

/** Spreads out what is not due yet of all that there is, and remembers it. */
export async function spreadRenewals(
  inventory: Inventory,
  { clock, random }: { readonly clock: Clock; readonly random: Random },
): Promise<Spread> {
  const now = clock.now()
  const due = inventory.items.flatMap((item) => {
    const at = renewalTimeOf(inventory, item, now)
    return at === undefined ? [] : [{ item, at }]
  })
  const before = due.map(({ at }) => at)
  const after = spreadOut(before, now, random)
  const early = new Map<string, { readonly fingerprint: string; readonly renewAt: number }>()
  for (const [index, { item, at }] of due.entries()) {
    const renewAt = after[index]!
    if (renewAt < at) early.set(item.wanted.id, { fingerprint: item.held!.certificate.fingerprint, renewAt })
  }
  await inventory.early.replace(early)
  const { most, days } = busiestDay(after, now)
  return { renewals: due.length, moved: early.size, days, most, mostBefore: busiestDay(before, now).most }
}

/** When it would be renewed if nothing were spread out by hand; undefined if it is to be done at once. */
function renewalTimeOf(inventory: Inventory, item: Item, now: number): number | undefined {
  const facts = inventory.factsOf(item)
  if (facts === undefined || inventory.stepFor(item, now).type !== 'keep') return undefined
  return renewalTime({ ...facts, spreadAt: item.held?.spreadAt })
}
