/** The ids of certificates on demand begin with it, and in the storage they have a part of their own. */
const ON_DEMAND = 'on-demand'

/** Where certificates go that nobody needs any more. */
export const ARCHIVE = 'archive'

/** What may be too much to be looked at as a whole: see the storage. */
export const VAST: readonly string[] = [ON_DEMAND, ARCHIVE]

/** What is stored of a certificate. */
type Kind = 'certificates' | 'attempts' | 'renewal-info'

/**
 * Where the storage has something of a certificate: one value for all of a kind. What is on demand stands apart, as there
 * may be a hundred thousand: whoever lists what the sites have does not meet it.
 */
export function placeOf(kind: Kind, id: string): string {
  return isOnDemandId(id) ? `${ON_DEMAND}/${kind}/${id.slice(ON_DEMAND.length + 1)}` : `${kind}/${id}`
}

/** @param id of the same certificate, if it were a site's; @param shard a part of all names, so that no folder is too large. */
export function onDemandId(id: string, shard: string): string {
  return `${ON_DEMAND}/${shard}/${id}`
}

export function isOnDemandId(id: string): boolean {
  return id.startsWith(`${ON_DEMAND}/`)
}
