import { createPublicKey, type KeyObject } from 'node:crypto'
import { calculateJwkThumbprint, decodeProtectedHeader, type FlattenedJWSInput, flattenedVerify, type JWK } from 'jose'
import { type CaAnswer, Refusal } from './answer.ts'
import type { CaDirectory } from './directory.ts'
import type { RateLimits } from './rate-limits.ts'

export type CaAccount = {
  readonly url: string
  readonly jwk: JWK
  /** RFC 7638. */
  readonly thumbprint: string
  status: 'valid' | 'deactivated' | 'revoked'
  contact: unknown
  agreedTo: string | undefined
}

type Payload = Readonly<Record<string, unknown>>

/** The accounts of the CA (RFC 8555 §7.3). */
export class CaAccounts {
  readonly byUrl = new Map<string, CaAccount>()
  /** HMAC keys that the CA has given out, by their ids (§7.3.4). */
  readonly external = new Map<string, Uint8Array>()
  readonly #url: (path: string) => string
  readonly #directory: CaDirectory
  readonly #limits: RateLimits

  constructor(url: (path: string) => string, directory: CaDirectory, limits: RateLimits) {
    this.#url = url
    this.#directory = directory
    this.#limits = limits
  }

  /** newAccount: registers a key, or finds its account. Throws Refusal. */
  async register(jwk: JWK, payload: Payload, address: string): Promise<CaAnswer> {
    const thumbprint = await calculateJwkThumbprint(jwk)
    const known = [...this.byUrl.values()].find((account) => account.thumbprint === thumbprint)
    if (known !== undefined) return told(this.#usable(known), 200)
    if (payload.onlyReturnExisting === true) throw doesNotExist()
    this.#limits.check('accountsPerAddress', address)
    if (this.#directory.terms !== undefined && payload.termsOfServiceAgreed !== true)
      throw new Refusal('malformed', 'must agree to terms of service')
    await this.#bind(jwk, payload.externalAccountBinding)
    this.#limits.spend('accountsPerAddress', address)
    const url = this.#url(`/account/${this.byUrl.size + 1}`)
    const account: CaAccount = {
      ...{ url, jwk, thumbprint, status: 'valid', contact: payload.contact, agreedTo: this.#directory.terms },
    }
    this.byUrl.set(url, account)
    return told(account, 201)
  }

  /** The account that signs as `kid`. Throws Refusal. */
  of(kid: unknown): CaAccount {
    const account = this.byUrl.get(String(kid))
    if (account === undefined) throw doesNotExist()
    return this.#usable(account)
  }

  /** An account's own URL: another contact, or the end of it (§7.3.2, §7.3.6). */
  update(account: CaAccount, payload: Payload | undefined): CaAnswer {
    if (payload?.contact !== undefined) account.contact = payload.contact
    if (payload?.status === 'deactivated') account.status = 'deactivated'
    return told(account, 200)
  }

  /** New terms, which somebody must agree to at a web page before anything more is ordered (§7.3.3). */
  changeTerms(terms: string): void {
    this.#directory.terms = terms
  }

  /** What somebody does at that page. */
  agree(): void {
    for (const account of this.byUrl.values()) account.agreedTo = this.#directory.terms
  }

  /** Throws Refusal `userActionRequired`. */
  checkTerms(account: CaAccount): void {
    const { terms } = this.#directory
    if (account.agreedTo === terms) return
    throw new Refusal('userActionRequired', 'Terms of service have changed', {
      status: 403,
      instance: AGREEMENT_URL,
      headers: { Link: `<${terms}>;rel="terms-of-service"` },
    })
  }

  #usable(account: CaAccount): CaAccount {
    if (account.status === 'valid') return account
    const detail = `Account is not valid, has status "${account.status}"`
    throw new Refusal('unauthorized', detail, { status: 403 })
  }

  async #bind(jwk: JWK, binding: unknown): Promise<void> {
    if (binding === undefined && !this.#directory.externalAccountRequired) return
    if (binding === undefined)
      throw new Refusal('externalAccountRequired', 'No external account binding', { status: 403 })
    const header = decodeProtectedHeader(binding as FlattenedJWSInput) as { kid?: string; url?: string }
    const key = this.external.get(header.kid ?? '')
    if (key === undefined) throw new Refusal('unauthorized', 'unknown key id of the external account', { status: 403 })
    const { payload } = await flattenedVerify(binding as FlattenedJWSInput, key, { algorithms: ['HS256'] })
    const bound = await calculateJwkThumbprint(JSON.parse(Buffer.from(payload).toString()))
    if (header.url !== this.#url('/new-account') || bound !== (await calculateJwkThumbprint(jwk)))
      throw new Refusal('malformed', 'the external account is bound to another key or URL')
  }
}

export const AGREEMENT_URL = 'https://ca.test/agreement/?token=W8Ih3PswD-8'

export function importKey(jwk: JWK): KeyObject {
  return createPublicKey({ key: jwk as Record<string, string>, format: 'jwk' })
}

function told({ url, status, contact }: CaAccount, httpStatus: number): CaAnswer {
  return { status: httpStatus, headers: { Location: url }, body: { status, contact } }
}

function doesNotExist(): Refusal {
  return new Refusal('accountDoesNotExist', 'Account is not registered')
}
