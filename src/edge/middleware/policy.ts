import type { ErrorAnswers } from '../error-answers.ts'
import type { HttpDate } from '../http-date.ts'
import type { PolicySnapshot } from '../snapshot.ts'
import { compress } from './compress.ts'
import type { Compressors } from './compressor.ts'
import { contentLimit } from './content-limit.ts'
import { interceptErrors } from './error-pages.ts'
import { headers } from './headers.ts'
import { maintenanceOf, type ToldMaintenance } from './maintenance.ts'
import type { Middleware, Refuse } from './middleware.ts'

/** What middlewares need of the worker and the site that they run in. */
export type PolicyTools = {
  readonly date: HttpDate
  readonly refuse: Refuse
  readonly errorAnswers: ErrorAnswers
  readonly compressors: Compressors
  /** What an operator has said of the site while it runs. */
  readonly maintenance: ToldMaintenance | undefined
}

/** The middlewares that a policy asks for, from the client inwards. None for what it does not say. */
export function middlewares(policy: PolicySnapshot, tools: PolicyTools): Middleware[] {
  const { headers: changes, errors, maxBodyBytes } = policy
  const chosen: Middleware[] = []
  if (changes?.request !== undefined || changes?.response !== undefined) chosen.push(headers(changes))
  if (errors !== undefined && errors.intercept.length > 0)
    chosen.push(interceptErrors(errors.intercept, tools.errorAnswers))
  const closed = maintenanceOf(policy.maintenance, tools)
  if (closed !== undefined) chosen.push(closed)
  if (maxBodyBytes !== undefined) chosen.push(contentLimit(maxBodyBytes, tools))
  if (policy.compress !== undefined) chosen.push(compress(policy.compress, tools.compressors))
  return chosen
}

/** The same for what is answered for a site before any of its routes is chosen. */
export function ownMiddlewares({ headers: changes }: PolicySnapshot): Middleware[] {
  return changes?.response === undefined ? [] : [headers({ request: undefined, response: changes.response })]
}
