import type { HttpDate } from '../http-date.ts'
import type { PolicySnapshot } from '../snapshot.ts'
import { clientAddresses } from './client-addresses.ts'
import { contentLimit } from './content-limit.ts'
import { headers } from './headers.ts'
import type { Middleware, Refuse } from './middleware.ts'
import type { RateCounts } from './rate-counts.ts'
import { rateLimit } from './rate-limit.ts'

/** What middlewares need of the worker that they run in. */
export type PolicyTools = {
  readonly date: HttpDate
  readonly refuse: Refuse
  readonly rates: RateCounts
}

/** Where a policy holds: the name of its site, and what tells a route from the others of that site. */
export type PolicyPlace = { readonly site: string; readonly route: string | undefined }

/** The middlewares that a policy asks for, from the client inwards. None for what it does not say. */
export function middlewares(policy: PolicySnapshot, tools: PolicyTools, place: PolicyPlace): Middleware[] {
  const { date, refuse } = tools
  const { addresses, rateLimit: limit } = policy.guards ?? {}
  const chosen: Middleware[] = []
  if (policy.headers !== undefined) chosen.push(headers(policy.headers))
  if (addresses !== undefined) chosen.push(clientAddresses(addresses, refuse))
  if (limit !== undefined) chosen.push(rateLimit(limit, tools, place))
  if (policy.maxBodyBytes !== undefined) chosen.push(contentLimit(policy.maxBodyBytes, date, refuse))
  return chosen
}
