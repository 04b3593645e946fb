import type { ClientTls } from '../../guards.ts'
import type { Policy } from '../../policy.ts'
import type { ErrorAnswers } from '../error-answers.ts'
import type { HttpDate } from '../http-date.ts'
import type { UpstreamConnections } from '../upstream/connections.ts'
import { basicAuth } from './basic-auth.ts'
import { clientAddresses } from './client-addresses.ts'
import { clientCertificate } from './client-certificate.ts'
import { compress } from './compress.ts'
import type { Compressors } from './compressor.ts'
import { contentLimit } from './content-limit.ts'
import { cors } from './cors.ts'
import { interceptErrors } from './error-pages.ts'
import { forwardAuth } from './forward-auth.ts'
import { headers } from './headers.ts'
import { withoutIdentity } from './identity-fields.ts'
import { maintenanceOf, type ToldMaintenance } from './maintenance.ts'
import type { Middleware, Refuse } from './middleware.ts'
import type { PasswordChecks } from './password-checks.ts'
import type { RateCounts } from './rate-counts.ts'
import { rateLimit } from './rate-limit.ts'

/** What middlewares need of the worker and the site that they run in. */
export type PolicyTools = {
  readonly date: HttpDate
  readonly refuse: Refuse
  readonly errorAnswers: ErrorAnswers
  readonly compressors: Compressors
  /** What an operator has said of the site while it runs. */
  readonly maintenance: ToldMaintenance | undefined
  readonly rates: RateCounts
  readonly passwords: PasswordChecks
  readonly connections: UpstreamConnections
}

/** Where a policy holds. */
export type PolicyPlace = {
  /** The name of its site. */
  readonly site: string
  /** What tells a route from the others of that site. */
  readonly route: string | undefined
  /** Names of fields that are not to come from clients, folded. */
  readonly identity: ReadonlySet<string>
  /** What its site asks of clients in TLS. */
  readonly tls: ClientTls | undefined
}

/** The middlewares that a policy asks for, from the client inwards. None for what it does not say. */
export function middlewares(policy: Policy, tools: PolicyTools, place: PolicyPlace): Middleware[] {
  const { date, refuse, errorAnswers, compressors } = tools
  const { headers: changes, errors, maxBodyBytes, compress: compressing } = policy
  const { addresses, rateLimit: limit, cors: shared, auth } = policy.guards ?? {}
  const { identity, tls } = place
  const chosen: Middleware[] = []
  if (changes?.request !== undefined || changes?.response !== undefined) chosen.push(headers(changes))
  if (errors !== undefined && errors.intercept.length > 0) chosen.push(interceptErrors(errors.intercept, errorAnswers))
  if (addresses !== undefined) chosen.push(clientAddresses(addresses, refuse))
  const closed = maintenanceOf(policy.maintenance, tools)
  if (closed !== undefined) chosen.push(closed)
  if (limit !== undefined) chosen.push(rateLimit(limit, tools, place))
  if (shared !== undefined) chosen.push(cors(shared, date, refuse))
  if (tls !== undefined) chosen.push(clientCertificate(tls, refuse))
  if (auth?.type === 'basic') chosen.push(basicAuth(auth, { ...tools, identity }))
  if (auth?.type === 'forward') chosen.push(forwardAuth(auth, { ...tools, identity }))
  if (auth === undefined && identity.size > 0) chosen.push(withoutIdentity(identity))
  if (maxBodyBytes !== undefined) chosen.push(contentLimit(maxBodyBytes, tools))
  if (compressing !== undefined) chosen.push(compress(compressing, compressors))
  return chosen
}

/** The same for what is answered for a site before any of its routes is chosen. */
export function ownMiddlewares({ headers: changes }: Policy): Middleware[] {
  return changes?.response === undefined ? [] : [headers({ request: undefined, response: changes.response })]
}
