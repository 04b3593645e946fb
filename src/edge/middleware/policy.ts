import type { HttpDate } from '../http-date.ts'
import type { PolicySnapshot } from '../snapshot.ts'
import { contentLimit } from './content-limit.ts'
import { headers } from './headers.ts'
import type { Middleware, Refuse } from './middleware.ts'

/** What middlewares need of the worker that they run in. */
export type PolicyTools = { readonly date: HttpDate; readonly refuse: Refuse }

/** The middlewares that a policy asks for, from the client inwards. None for what it does not say. */
export function middlewares(policy: PolicySnapshot, { date, refuse }: PolicyTools): Middleware[] {
  const chosen: Middleware[] = []
  if (policy.headers !== undefined) chosen.push(headers(policy.headers))
  if (policy.maxBodyBytes !== undefined) chosen.push(contentLimit(policy.maxBodyBytes, date, refuse))
  return chosen
}
