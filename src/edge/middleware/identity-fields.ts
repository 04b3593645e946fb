import type { Exchange, Fields, RequestHead } from '../exchange/exchange.ts'
import { WrappedExchange } from '../exchange/wrapped-exchange.ts'
import { foldedName } from '../fields.ts'
import type { PolicySnapshot, SiteSnapshot } from '../snapshot.ts'
import type { Middleware } from './middleware.ts'

/** By which an application is told who has logged in. */
export const REMOTE_USER = 'X-Remote-User'

/** What clients send of right, wherever nobody is asked. */
const OF_CLIENTS: readonly string[] = ['authorization', 'cookie']

/** Names of fields by which the applications of a site learn who somebody is, as applications fold them. */
export function identityNames({ policy, routes }: Pick<SiteSnapshot, 'policy' | 'routes'>): ReadonlySet<string> {
  return new Set([policy, ...routes.map((route) => route.policy)].flatMap(namesOf).map(foldedName).filter(isOurs))
}

function isOurs(name: string): boolean {
  return !OF_CLIENTS.includes(name)
}

function namesOf({ guards }: PolicySnapshot): readonly string[] {
  const auth = guards?.auth
  if (auth === undefined) return []
  return auth.type === 'basic' ? [REMOTE_USER] : auth.copy
}

/** The fields without those of these names, in whatever spelling an application takes for the same. */
export function withoutFolded(fields: Fields, names: ReadonlySet<string>): string[] {
  const kept: string[] = []
  for (let at = 0; at < fields.length; at += 2)
    if (!names.has(foldedName(fields[at]!))) kept.push(fields[at]!, fields[at + 1]!)
  return kept
}

/** Takes away what clients say of who they are, where nobody is asked but other parts of the site do ask. */
export function withoutIdentity(names: ReadonlySet<string>): Middleware {
  return (next) => (exchange, facts) => next(withFields(exchange, withoutFolded(exchange.request.fields, names)), facts)
}

/** The same exchange, whose request has other fields. */
export function withFields(exchange: Exchange, fields: Fields): Exchange {
  return new ExchangeWithFields(exchange, fields)
}

class ExchangeWithFields extends WrappedExchange {
  readonly #request: RequestHead

  constructor(inner: Exchange, fields: Fields) {
    super(inner)
    this.#request = { ...inner.request, fields }
  }

  override get request(): RequestHead {
    return this.#request
  }
}
