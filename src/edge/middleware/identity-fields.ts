import type { Policy } from '../../policy.ts'
import type { Exchange, Fields, Outcome, RequestHead, RequestReceiver } from '../exchange/exchange.ts'
import { WrappedExchange } from '../exchange/wrapped-exchange.ts'
import { foldedName, keepFields } from '../fields.ts'
import type { SiteSnapshot } from '../snapshot.ts'
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

function namesOf({ guards }: Policy): readonly string[] {
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
  return (next) => (exchange, facts) => next(withIdentity(exchange, names, []), facts)
}

/**
 * The same exchange, whose request says who somebody is by `told` alone, and by no field of these folded names. What Connection
 * nominates is dropped before, and Connection with it (RFC 9110 §7.6.1): a client must not take away what it is known by.
 */
export function withIdentity(exchange: Exchange, names: ReadonlySet<string>, told: Fields): Exchange {
  const kept = keepFields(exchange.request.fields, (role) => role !== 'connection')
  return new IdentifiedExchange(exchange, names, [...withoutFolded(kept, names), ...told])
}

class IdentifiedExchange extends WrappedExchange {
  readonly #names: ReadonlySet<string>
  readonly #request: RequestHead

  constructor(inner: Exchange, names: ReadonlySet<string>, fields: Fields) {
    super(inner)
    this.#names = names
    this.#request = { ...inner.request, fields }
  }

  override get request(): RequestHead {
    return this.#request
  }

  override receive(receiver: RequestReceiver): void {
    this.inner.receive(new WithoutIdentityTrailers(receiver, this.#names))
  }
}

/** An application that merges trailers into the fields would believe them as well. */
class WithoutIdentityTrailers implements RequestReceiver {
  readonly #receiver: RequestReceiver
  readonly #names: ReadonlySet<string>

  constructor(receiver: RequestReceiver, names: ReadonlySet<string>) {
    this.#receiver = receiver
    this.#names = names
  }

  onContent(piece: Buffer): boolean {
    return this.#receiver.onContent(piece)
  }

  onContentEnd(trailers: Fields): void {
    this.#receiver.onContentEnd(trailers.length === 0 ? trailers : withoutFolded(trailers, this.#names))
  }

  onDrain(): void {
    this.#receiver.onDrain()
  }

  onEnd(outcome: Outcome): void {
    this.#receiver.onEnd(outcome)
  }
}
