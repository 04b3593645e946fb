import type { Storage } from '../storage/storage.ts'
import type { Clock } from '../system/clock.ts'
import type { Log } from '../telemetry/log.ts'
import { isOutdated } from './acme-unfinished.ts'

/** `issuers/NAME/orders/…` */
const PLACE = /^issuers\/[^/]+\/orders\//

/**
 * Deletes what is remembered of orders that nobody will go on with, each with a key: their sites are gone, or were given
 * another certificate. Throws StorageError.
 */
export async function forgetOldOrders(
  storage: Storage,
  { clock, log }: { readonly clock: Pick<Clock, 'now'>; readonly log: Log },
): Promise<void> {
  for (const place of await storage.list('issuers')) {
    if (!PLACE.test(place)) continue
    const value = await storage.get(place)
    if (value === undefined || !isOutdated(value, clock.now())) continue
    await storage.delete(place)
    const order = place.slice(place.lastIndexOf('/') + 1)
    const message = `The order ${order} that was never ended is too old to go on with: it and its key are forgotten.`
    log.info('order-forgotten', message, { order })
  }
}
