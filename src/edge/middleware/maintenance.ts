import type { MaintenancePolicy } from '../../policy.ts'
import { AddressSet } from '../address-set.ts'
import { ownErrorAnswers } from '../error-answers.ts'
import type { HttpDate } from '../http-date.ts'
import type { MaintenanceSnapshot } from '../snapshot.ts'
import type { HeldRequests } from './held-requests.ts'
import { type Handler, type Middleware, type Refuse, refuseWith } from './middleware.ts'

/** What an operator has said of a site while it runs, and its requests that wait if there are to be any. */
export type ToldMaintenance = MaintenanceSnapshot & { readonly held: HeldRequests | undefined }

type Tools = { readonly refuse: Refuse; readonly date: HttpDate; readonly maintenance: ToldMaintenance | undefined }

const SERVICE_UNAVAILABLE = 503
const WHY = 'maintenance'
/** Where nobody has said how long it takes. */
const RETRY_AFTER_SECONDS = 300

/**
 * Answers 503 with Retry-After (RFC 9110 §15.6.4), or lets requests wait, where an operator has said so, or else the config.
 * undefined where the site is open. Whom the config allows passes in either case.
 */
export function maintenanceOf(policy: MaintenancePolicy | undefined, tools: Tools): Middleware | undefined {
  const { maintenance: told } = tools
  if (told === undefined && policy?.isActive !== true) return undefined
  const seconds = told?.retryAfterSeconds ?? policy?.retryAfterSeconds ?? RETRY_AFTER_SECONDS
  const allowed = new AddressSet(policy?.allow ?? [])
  const refusal = { status: SERVICE_UNAVAILABLE, why: WHY, fields: ['Retry-After', String(seconds)] }
  const refusing = told?.page === undefined ? tools.refuse : refuseWithPage(told.page, tools.date)
  const refuse: Handler = (exchange, facts) => refusing(exchange, facts, refusal)
  const held = told?.held
  return (next) => (exchange, facts) => {
    if (allowed.has(facts.origin.clientAddress)) return next(exchange, facts)
    if (held?.hold(exchange, { facts, next, refuse })) return
    refuse(exchange, facts)
  }
}

function refuseWithPage(text: string, date: HttpDate): Refuse {
  const pages = { byStatus: [{ status: SERVICE_UNAVAILABLE, page: WHY }], otherwise: undefined, intercept: [] }
  return refuseWith(ownErrorAnswers(pages, { [WHY]: text }, date))
}
