import { randomBytes } from 'node:crypto'
import { isIP } from 'node:net'
import { identifierOf } from '../../src/acme/identifier.ts'
import type { CaAccount } from './accounts.ts'
import { type CaAnswer, Refusal } from './answer.ts'
import type { RateLimits } from './rate-limits.ts'
import type { Validation } from './validation.ts'

export type CaAuthorization = {
  readonly id: number
  readonly account: CaAccount
  readonly name: string
  status: 'pending' | 'valid' | 'invalid' | 'deactivated'
  /** Milliseconds since 1970. */
  expiresAt: number
  /** For how long it is good once it is valid. */
  readonly reuseMs: number
  readonly token: string
  readonly types: readonly string[]
  /** The type that the client has chosen. */
  answered: string | undefined
  /** How often it was read since. */
  polls: number
  problem: object | undefined
}

/** Of what is pending. */
const PENDING_MS = 7 * 24 * 60 * 60 * 1000

/** Who may have certificates for what (RFC 8555 §7.1.4). */
export class CaAuthorizations {
  readonly all: CaAuthorization[] = []
  /** Offered beside those that are known; Let's Encrypt's newest unless a test says otherwise. */
  moreTypes: readonly string[] = ['dns-persist-01', 'dns-account-01']
  /** How often an answered authorization is read as pending, though the CA has looked at once. */
  pendingPolls = 0
  /** Of what is pending, in seconds. */
  retryAfter: number | undefined
  readonly #now: () => number
  readonly #url: (path: string) => string
  readonly #limits: RateLimits
  readonly #validation: Validation

  constructor(now: () => number, url: (path: string) => string, limits: RateLimits, validation: Validation) {
    this.#now = now
    this.#url = url
    this.#limits = limits
    this.#validation = validation
  }

  /** The one that the account has already, if it is valid still, or a new one. */
  for(account: CaAccount, name: string, reuseMs: number): CaAuthorization {
    const isReusable = (each: CaAuthorization): boolean =>
      each.account === account && each.name === name && each.status === 'valid' && each.expiresAt > this.#now()
    return this.all.find(isReusable) ?? this.#create(account, name, reuseMs)
  }

  urlOf({ id }: CaAuthorization): string {
    return this.#url(`/authorization/${id}`)
  }

  /** Throws Refusal. */
  find(account: CaAccount, id: number): CaAuthorization {
    const authorization = this.all[id]
    if (authorization?.account === account) return authorization
    throw new Refusal('malformed', 'No such authorization', { status: 404 })
  }

  /** Its own URL. */
  read(authorization: CaAuthorization): CaAnswer {
    const { status, answered } = authorization
    if (status === 'pending' && answered !== undefined && authorization.polls++ >= this.pendingPolls)
      this.#decide(authorization)
    const wait = authorization.status === 'pending' && this.retryAfter !== undefined
    return { headers: wait ? { 'Retry-After': String(this.retryAfter) } : {}, body: this.#body(authorization) }
  }

  /** A challenge's URL (§7.5.1): the CA is told that it can look. */
  async begin(authorization: CaAuthorization, type: string): Promise<CaAnswer> {
    if (authorization.status !== 'pending') throw new Refusal('malformed', 'The authorization is not pending')
    const { account, name, token, answered } = authorization
    if (answered === undefined)
      authorization.problem = await this.#validation.validate({ name, type, token, thumbprint: account.thumbprint })
    authorization.answered ??= type
    return { body: this.#challenge(authorization, type) }
  }

  #create(account: CaAccount, name: string, reuseMs: number): CaAuthorization {
    const types =
      isIP(name) === 0 ? ['http-01', 'tls-alpn-01', 'dns-01', ...this.moreTypes] : ['http-01', 'tls-alpn-01']
    const authorization: CaAuthorization = {
      id: this.all.length,
      ...{ account, name, types, reuseMs, status: 'pending', answered: undefined, polls: 0, problem: undefined },
      token: randomBytes(24).toString('base64url'),
      expiresAt: this.#now() + PENDING_MS,
    }
    this.all.push(authorization)
    return authorization
  }

  #decide(authorization: CaAuthorization): void {
    const { account, name, reuseMs } = authorization
    authorization.status = authorization.problem === undefined ? 'valid' : 'invalid'
    if (authorization.problem === undefined) this.#limits.succeeded(account.url, name)
    else this.#limits.failed(account.url, name)
    authorization.expiresAt = this.#now() + reuseMs
  }

  /** In the end only the challenge that was tried is left (§7.1.4). */
  #body(authorization: CaAuthorization): object {
    const { status, name, types, answered, expiresAt } = authorization
    const left = status === 'pending' || answered === undefined ? types : [answered]
    return {
      status,
      identifier: identifierOf(name),
      expires: new Date(expiresAt).toISOString(),
      challenges: left.map((type) => this.#challenge(authorization, type)),
    }
  }

  #challenge({ id, status, token, answered, problem }: CaAuthorization, type: string): object {
    const url = this.#url(`/challenge/${id}/${type}`)
    const isKnown = ['http-01', 'tls-alpn-01', 'dns-01'].includes(type)
    if (!isKnown) return { type, url, status: 'pending', 'issuer-domain-names': ['ca.test'] }
    if (type !== answered) return { type, url, token, status: 'pending' }
    const own = status === 'pending' ? 'processing' : status
    return { type, url, token, status: own, ...(own === 'invalid' && { error: problem }) }
  }
}
