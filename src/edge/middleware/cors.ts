import type { Cors } from '../../guards.ts'
import { type Answer, answer } from '../exchange/answer.ts'
import type { Exchange, Fields, ResponseHead } from '../exchange/exchange.ts'
import { WrappedExchange } from '../exchange/wrapped-exchange.ts'
import { fieldValue, fieldValues } from '../fields.ts'
import type { HttpDate } from '../http-date.ts'
import type { Middleware, Refuse } from './middleware.ts'

const FORBIDDEN = 403

/** A list of names of fields, no longer than anybody needs: what is repeated in an answer is looked at first. */
const FIELD_NAMES = /^[!#$%&'*+\-.^_`|~0-9A-Za-z, \t]{1,2048}$/

/**
 * Answers what browsers ask before they let a page of another origin use a site (preflight), and tells them of every response
 * whether that page may read it. What the application says of that is replaced: two would contradict each other.
 * (https://fetch.spec.whatwg.org/#http-cors-protocol)
 */
export function cors(settings: Cors, date: HttpDate, refuse: Refuse): Middleware {
  const isAllowed = originTest(settings.origins)
  const preflightFields = fixedPreflightFields(settings)
  return (next) => (exchange, facts) => {
    const { method, fields } = exchange.request
    const origins = fieldValues(fields, 'origin')
    const [origin] = origins
    const allowed = origins.length === 1 && isAllowed(origin!) ? origin : undefined
    if (
      method !== 'OPTIONS' ||
      origin === undefined ||
      fieldValue(fields, 'access-control-request-method') === undefined
    )
      return next(new SharedExchange(exchange, responseFields(settings, allowed), variesByOrigin(settings)), facts)
    if (allowed === undefined)
      return refuse(exchange, facts, { status: FORBIDDEN, why: 'origin-denied', fields: ['Vary', 'Origin'] })
    answer(exchange, preflight(settings, preflightFields, allowed, fields, date.now()), facts.record)
  }
}

/** Whether pages of an origin may; `null`, the origin of every sandboxed frame, is among none. */
export function originTest(origins: Cors['origins']): (origin: string) => boolean {
  if (origins === '*') return (origin) => origin !== 'null'
  const exact = new Set(origins)
  const wild = origins
    .filter((origin) => origin.includes('://*.'))
    .map((origin) => origin.split('*') as [string, string])
  return (origin) =>
    (exact.has(origin) && !origin.includes('*')) ||
    wild.some(
      ([scheme, domain]) =>
        origin.startsWith(scheme) &&
        origin.endsWith(domain) &&
        /^[a-z0-9_-]+$/.test(origin.slice(scheme.length, -domain.length)),
    )
}

/** The same answer to every origin need not be kept apart by caches. */
function variesByOrigin({ origins }: Cors): boolean {
  return origins !== '*'
}

function fixedPreflightFields({ methods, headers, maxAgeSeconds }: Cors): string[] {
  const fields = ['Access-Control-Allow-Methods', methods.join(', '), 'Access-Control-Max-Age', String(maxAgeSeconds)]
  if (headers !== undefined && headers.length > 0) fields.push('Access-Control-Allow-Headers', headers.join(', '))
  return fields
}

function preflight(settings: Cors, fixed: readonly string[], origin: string, asked: Fields, date: string): Answer {
  const fields = ['Date', date, ...originFields(settings, origin), ...fixed]
  const names = fieldValue(asked, 'access-control-request-headers')
  if (settings.headers === undefined && names !== undefined && FIELD_NAMES.test(names))
    fields.push('Access-Control-Allow-Headers', names)
  const vary = ['Access-Control-Request-Method', 'Access-Control-Request-Headers']
  fields.push('Vary', (variesByOrigin(settings) ? ['Origin', ...vary] : vary).join(', '))
  return { status: 204, fields, text: '' }
}

function originFields({ origins, credentials }: Cors, origin: string): string[] {
  const fields = ['Access-Control-Allow-Origin', origins === '*' ? '*' : origin]
  return credentials ? [...fields, 'Access-Control-Allow-Credentials', 'true'] : fields
}

function responseFields(settings: Cors, origin: string | undefined): string[] {
  if (origin === undefined) return settings.origins === '*' ? originFields(settings, '*') : []
  const { exposeHeaders } = settings
  const fields = originFields(settings, origin)
  return exposeHeaders.length === 0 ? fields : [...fields, 'Access-Control-Expose-Headers', exposeHeaders.join(', ')]
}

/** An exchange whose response says so. */
class SharedExchange extends WrappedExchange {
  readonly #fields: Fields
  readonly #variesByOrigin: boolean

  constructor(inner: Exchange, fields: Fields, variesByOrigin: boolean) {
    super(inner)
    this.#fields = fields
    this.#variesByOrigin = variesByOrigin
  }

  override respond(head: ResponseHead, contentLength: number): void {
    // CORS does not speak of what follows a 101.
    if (head.status === 101) return this.inner.respond(head, contentLength)
    const fields: string[] = []
    for (let at = 0; at < head.fields.length; at += 2)
      if (!head.fields[at]!.toLowerCase().startsWith('access-control-'))
        fields.push(head.fields[at]!, head.fields[at + 1]!)
    fields.push(...this.#fields)
    if (this.#variesByOrigin) fields.push('Vary', 'Origin')
    this.inner.respond({ ...head, fields }, contentLength)
  }
}
