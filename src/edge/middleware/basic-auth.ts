import { createHash, createHmac } from 'node:crypto'
import type { BasicAuth } from '../../guards.ts'
import type { PasswordHash } from '../../password/password-hash.ts'
import { readPasswordHash } from '../../password/password-hash.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { HeldExchange } from '../exchange/held-exchange.ts'
import { fieldValues } from '../fields.ts'
import { type Credentials, readCredentials } from './credentials.ts'
import { REMOTE_USER, withIdentity } from './identity-fields.ts'
import type { Handler, Middleware, OwnRefusal, Refuse, RequestFacts } from './middleware.ts'
import type { PasswordChecks, Verdict } from './password-checks.ts'
import { addressKey } from './rate-limit.ts'

export type BasicAuthTools = {
  readonly refuse: Refuse
  readonly passwords: PasswordChecks
  /** Names of fields that are not to come from clients, folded. */
  readonly identity: ReadonlySet<string>
}

const BUSY: OwnRefusal = { status: 503, why: 'auth-busy', fields: ['Retry-After', '1'] }

/**
 * Asks for a name and a password (RFC 7617). A password that was lately right is let through at once; others are verified,
 * a few at a time, while the request's content is held back.
 */
export function basicAuth(settings: BasicAuth, tools: BasicAuthTools): Middleware {
  const challenge: OwnRefusal = {
    status: 401,
    why: 'credentials-missing',
    fields: ['WWW-Authenticate', `Basic realm=${quoted(settings.realm)}, charset="UTF-8"`],
  }
  const wrong: OwnRefusal = { ...challenge, why: 'credentials-wrong' }
  const users = new Users(settings.users)
  const { refuse, passwords, identity } = tools
  const dropped = settings.passAuthorization ? identity : new Set([...identity, 'authorization'])
  // The name goes as UTF-8, each byte a character.
  const onward = (next: Handler, exchange: Exchange, facts: RequestFacts, { name }: Credentials): void =>
    next(withIdentity(exchange, dropped, [REMOTE_USER, Buffer.from(name).toString('latin1')]), facts)
  return (next) => (exchange, facts) => {
    const credentials = readCredentials(fieldValues(exchange.request.fields, 'authorization'))
    if (credentials === undefined) return refuse(exchange, facts, challenge)
    const { hash, isKnown } = users.hashOf(credentials.name)
    if (passwords.wasRight(hash, credentials.password) && isKnown) return onward(next, exchange, facts, credentials)
    const decide = (verdict: Verdict): void => {
      if (verdict === 'busy') return refuse(held, facts, BUSY)
      if (verdict === 'wrong' || !isKnown) return refuse(held, facts, wrong)
      onward(next, held, facts, credentials)
    }
    const held: HeldExchange = new HeldExchange(exchange, (outcome) => {
      check.leave()
      facts.record.onEnd(outcome)
    })
    const check = passwords.check(hash, credentials.password, addressKey(facts.origin.clientAddress), decide)
  }
}

/** A password that nobody is let in by is verified all the same, for the time would tell which names there are. */
class Users {
  readonly #byName: ReadonlyMap<string, PasswordHash>
  readonly #hashes: readonly PasswordHash[]
  /** To a name that is not there belongs the same decoy each time, with all workers, and nobody can foretell which. */
  readonly #decoyKey: Buffer

  constructor(users: BasicAuth['users']) {
    // Whoever made the config has seen to it that each can be read.
    this.#byName = new Map(users.map(([name, hash]) => [name, readPasswordHash(hash) as PasswordHash]))
    this.#hashes = [...this.#byName.values()]
    this.#decoyKey = createHash('sha256').update(JSON.stringify(users)).digest()
  }

  hashOf(name: string): { readonly hash: PasswordHash; readonly isKnown: boolean } {
    const hash = this.#byName.get(name)
    if (hash !== undefined) return { hash, isKnown: true }
    const at = createHmac('sha256', this.#decoyKey).update(name).digest().readUInt32BE() % this.#hashes.length
    return { hash: this.#hashes[at]!, isKnown: false }
  }
}

/** RFC 9110 §5.6.4. */
function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`
}
