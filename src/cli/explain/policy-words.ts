import { AddressSet } from '../../edge/address-set.ts'
import type { ClientTls } from '../../guards.ts'
import type { MaintenanceReport } from '../../maintenance/keeper.ts'
import type { CompressPolicy, ErrorsPolicy, FieldChanges, MaintenancePolicy, Policy } from '../../policy.ts'
import type { AskedRequest } from './asked-request.ts'
import { explainAddresses, explainAuth, explainCors, explainRateLimit, explainTls } from './guard-words.ts'

/** What one part of a policy does to a request. */
export type PolicyStep = {
  readonly step: string
  readonly is: string
  /** It goes no further. Without `why` that is no fault of the request. */
  readonly refusal?: { readonly status: number; readonly why: string | undefined } | undefined
}

/** What holds for a whole site. */
export type PolicyPlace = {
  readonly tls: ClientTls | undefined
  /** What an operator has said of it. */
  readonly closed: MaintenanceReport | undefined
}

/** What the middlewares of a policy would do, from the client inwards. Nothing of those that it does not ask for. */
export function* explainPolicy(policy: Policy, request: AskedRequest, place: PolicyPlace): Generator<PolicyStep> {
  const { headers, errors, guards, maintenance, maxBodyBytes, compress } = policy
  if (headers !== undefined) yield { step: 'headers', is: headersWords(headers) }
  if (errors !== undefined) yield { step: 'errors', is: errorsWords(errors) }
  if (guards?.addresses !== undefined) yield explainAddresses(guards.addresses, request)
  const closing = explainMaintenance(maintenance, request, place.closed)
  if (closing !== undefined) yield closing
  if (guards?.rateLimit !== undefined) yield explainRateLimit(guards.rateLimit)
  if (guards?.cors !== undefined) yield explainCors(guards.cors, request)
  if (place.tls !== undefined) yield explainTls(place.tls, request)
  if (guards?.auth !== undefined) yield explainAuth(guards.auth)
  if (maxBodyBytes !== undefined)
    yield { step: 'limits', is: `a body of more than ${maxBodyBytes} bytes is refused with 413` }
  if (compress !== undefined) yield { step: 'compress', is: compressWords(compress) }
}

function headersWords({ request, response }: NonNullable<Policy['headers']>): string {
  return [...changesOf('request', request), ...changesOf('response', response)].join('; ') || 'nothing is changed'
}

function errorsWords({ byStatus, otherwise, intercept }: ErrorsPolicy): string {
  return [
    ...(byStatus.length === 0 ? [] : [`pages for ${byStatus.map(({ status }) => status).join(', ')}`]),
    ...(otherwise === undefined ? [] : ['a page for all others']),
    ...(intercept.length === 0 ? [] : [`also where the app answers ${intercept.join(', ')}`]),
  ].join('; ')
}

function explainMaintenance(
  policy: MaintenancePolicy | undefined,
  { from }: AskedRequest,
  closed: MaintenanceReport | undefined,
): PolicyStep | undefined {
  const step = 'maintenance'
  const isByHand = closed !== undefined && closed.mode !== 'config'
  if (!isByHand && !policy?.isActive) return undefined
  if (from !== undefined && new AddressSet(policy?.allow ?? []).has(from)) return { step, is: `${from} may pass` }
  if (closed?.mode === 'hold') return { step, is: 'requests wait for "castellan maintenance SITE off"; too long: 503' }
  const by = isByHand ? 'by hand' : 'by the config'
  return { step, is: `the site is closed ${by}`, refusal: { status: 503, why: 'maintenance' } }
}

function compressWords({ encodings }: CompressPolicy): string {
  return `text may be compressed, by ${encodings.join(', ')}`
}

function changesOf(of: string, changes: FieldChanges | undefined): string[] {
  if (changes === undefined) return []
  const { set, add, remove } = changes
  const names = (fields: readonly string[]): string => fields.filter((_, at) => at % 2 === 0).join(', ')
  return [
    ...(set.length === 0 ? [] : [`${of}: sets ${names(set)}`]),
    ...(add.length === 0 ? [] : [`${of}: adds ${names(add)}`]),
    ...(remove.length === 0 ? [] : [`${of}: removes ${remove.join(', ')}`]),
  ]
}
