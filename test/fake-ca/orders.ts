import { identifierOf } from '../../src/acme/identifier.ts'
import type { CaAccount } from './accounts.ts'
import { type CaAnswer, Refusal, subproblem, urn } from './answer.ts'
import type { CaAuthorization, CaAuthorizations } from './authorizations.ts'
import { readRequest } from './certificate-request.ts'
import type { CaCertificate, CaCertificates } from './certificates.ts'
import type { CaDirectory, Profile } from './directory.ts'
import { type RateLimits, registeredDomain } from './rate-limits.ts'
import type { CaRenewalInfo } from './renewal-info.ts'

export type CaOrder = {
  readonly id: number
  readonly account: CaAccount
  /** Sorted. */
  readonly names: readonly string[]
  readonly profile: Profile
  readonly authorizations: readonly CaAuthorization[]
  readonly expiresAt: number
  /** The CA has asked for this renewal, and so counts nothing. */
  readonly isAsked: boolean
  readonly replaces: CaCertificate | undefined
  state: 'open' | 'processing' | 'valid'
  /** How often it is read before it is not processing any more. */
  pollsLeft: number
  certificate: CaCertificate | undefined
}

type Payload = Readonly<Record<string, unknown>>
type Parts = {
  readonly now: () => number
  readonly url: (path: string) => string
  readonly directory: CaDirectory
  readonly limits: RateLimits
  readonly authorizations: CaAuthorizations
  readonly certificates: CaCertificates
  readonly renewalInfo: CaRenewalInfo
}

const WEEK_MS = 7 * 24 * 60 * 60 * 1000

/** What was ordered (RFC 8555 §7.1.3), and the rules by which it is taken. */
export class CaOrders {
  readonly all: CaOrder[] = []
  /** Names that the CA refuses, with what it says of each. */
  readonly rejected = new Map<string, string>()
  /** How often an order is read as `processing` after it was finalized. */
  processingPolls = 0
  /** Of what is processing, in seconds. */
  retryAfter: number | undefined
  /** Refusals of the next requests to finalize. */
  readonly refusals: Refusal[] = []
  readonly #parts: Parts

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** newOrder; the one that the account has already, if nothing has come of it yet, as Boulder does. Throws Refusal. */
  create(account: CaAccount, payload: Payload): CaAnswer {
    const identifiers = payload.identifiers as readonly { type: string; value: string }[]
    const names = identifiers.map(({ value }) => value).sort()
    this.#checkNames(names)
    const profile = this.#profile(payload.profile, names)
    this.#parts.limits.checkPaused(account.url, names)
    const replaces = this.#replaced(account, names, payload.replaces)
    const order = this.#open(account, names, profile) ?? this.#place(account, names, profile, replaces)
    return { status: 201, headers: { Location: this.#parts.url(`/order/${order.id}`) }, body: this.#body(order) }
  }

  /** Throws Refusal. */
  find(account: CaAccount, id: number): CaOrder {
    const order = this.all[id]
    if (order?.account === account) return order
    throw new Refusal('malformed', `No order for ID ${id}`, { status: 404 })
  }

  /** Its own URL. */
  read(order: CaOrder): CaAnswer {
    if (order.state === 'processing' && order.pollsLeft-- <= 0) order.state = 'valid'
    return this.#told(order)
  }

  /** Hands in the certificate request (§7.4). Throws Refusal. */
  async finalize(order: CaOrder, csr: unknown): Promise<CaAnswer> {
    const { account, names, profile, replaces } = order
    const { limits, certificates } = this.#parts
    const status = this.#status(order)
    const refusal = this.refusals.shift()
    if (refusal !== undefined) throw refusal
    if (status !== 'ready')
      throw new Refusal('orderNotReady', `Order's status ("${status}") is not acceptable`, { status: 403 })
    const request = readRequest(csr)
    if (request.names.join() !== names.join())
      throw new Refusal('badCSR', 'CSR does not specify same identifiers as Order')
    order.certificate = await certificates.issue(account, names, request.publicKey, profile.lifetimeMs)
    if (replaces !== undefined) replaces.isReplaced = true
    if (!order.isAsked) {
      limits.spend('certificatesPerSet', names.join())
      for (const domain of domainsOf(names)) limits.spend('certificatesPerDomain', domain)
    }
    order.state = this.processingPolls > 0 ? 'processing' : 'valid'
    order.pollsLeft = this.processingPolls
    return this.#told(order)
  }

  /** As a CA does that was set up anew. */
  forgetAll(): void {
    this.all.length = 0
  }

  /** Those that something may still come of. */
  get unfinished(): CaOrder[] {
    return this.all.filter((order) => ['pending', 'ready', 'processing'].includes(this.#status(order)))
  }

  #open(account: CaAccount, names: readonly string[], profile: Profile): CaOrder | undefined {
    return this.all.find(
      (order) =>
        order.account === account &&
        order.names.join() === names.join() &&
        order.profile === profile &&
        order.expiresAt > this.#parts.now() &&
        ['pending', 'ready'].includes(this.#status(order)),
    )
  }

  #place(account: CaAccount, names: readonly string[], profile: Profile, replaces: CaCertificate | undefined): CaOrder {
    const { now, limits, authorizations, renewalInfo } = this.#parts
    const window = replaces && renewalInfo.windowOf(replaces)
    const isAsked = window !== undefined && window.start <= now() && now() <= window.end
    if (!isAsked) this.#checkLimits(account, names)
    if (!isAsked) limits.spend('ordersPerAccount', account.url)
    const order: CaOrder = {
      id: this.all.length,
      ...{ account, names, profile, replaces, isAsked, state: 'open', pollsLeft: 0, certificate: undefined },
      authorizations: names.map((name) => authorizations.for(account, name, profile.reuseMs)),
      expiresAt: now() + WEEK_MS,
    }
    this.all.push(order)
    return order
  }

  #checkNames(names: readonly string[]): void {
    const bad = names.filter((name) => this.rejected.has(name))
    const subproblems = bad.map((name) => subproblem('rejectedIdentifier', this.rejected.get(name)!, name))
    const others =
      bad.length > 1 ? ` (and ${bad.length - 1} more problems. Refer to sub-problems for more information.)` : ''
    const detail = `Invalid identifiers requested :: Cannot issue for "${bad[0]}": ${this.rejected.get(bad[0] ?? '')}${others}`
    if (bad.length > 0) throw new Refusal('rejectedIdentifier', detail, { subproblems })
  }

  #profile(asked: unknown, names: readonly string[]): Profile {
    const { profiles, defaultProfile, tellsProfiles, refusedProfiles } = this.#parts.directory
    const profile = profiles.get(String(asked ?? defaultProfile))
    const isRefused = asked !== undefined && (!tellsProfiles || refusedProfiles.has(String(asked)))
    if (profile === undefined || isRefused) throw new Refusal('invalidProfile', `profile "${asked}" not recognized`)
    if (names.length <= profile.maxNames) return profile
    throw new Refusal('malformed', `Order cannot contain more than ${profile.maxNames} identifiers`)
  }

  /** RFC 9773 §5, as Boulder has it. */
  #replaced(account: CaAccount, names: readonly string[], certId: unknown): CaCertificate | undefined {
    if (certId === undefined) return undefined
    const issued = this.#parts.certificates.byCertId(String(certId))
    if (issued === undefined)
      throw new Refusal('malformed', 'could not find the certificate to replace', { status: 404 })
    if (issued.account !== account)
      throw new Refusal('unauthorized', 'requester account did not request the certificate being replaced', {
        status: 403,
      })
    if (!names.some((name) => issued.names.includes(name)))
      throw new Refusal('malformed', 'identifiers in this order do not match any identifiers in the certificate')
    if (!issued.isReplaced) return issued
    const detail = `cannot indicate an order replaces certificate with serial "${issued.certificate.serial}", which already has a replacement order`
    throw new Refusal('alreadyReplaced', detail, { status: 409 })
  }

  /** Renewals of the same names are free of all limits but that of their set. */
  #checkLimits(account: CaAccount, names: readonly string[]): void {
    const { limits, certificates } = this.#parts
    const isRenewal = certificates.all.some((issued) => issued.names.join() === names.join())
    if (!isRenewal) limits.check('ordersPerAccount', account.url)
    for (const name of names) limits.check('failuresPerName', `${account.url} ${name}`, name)
    if (!isRenewal) for (const domain of domainsOf(names)) limits.check('certificatesPerDomain', domain)
    limits.check('certificatesPerSet', names.join())
  }

  #status({ state, authorizations }: CaOrder): string {
    if (state !== 'open') return state
    if (authorizations.some(({ status }) => status === 'invalid' || status === 'deactivated')) return 'invalid'
    return authorizations.every(({ status }) => status === 'valid') ? 'ready' : 'pending'
  }

  #told(order: CaOrder): CaAnswer {
    const wait = order.state === 'processing' && this.retryAfter !== undefined
    return { headers: wait ? { 'Retry-After': String(this.retryAfter) } : {}, body: this.#body(order) }
  }

  #body(order: CaOrder): object {
    const { url, authorizations } = this.#parts
    const status = this.#status(order)
    const detail = 'Error creating new order :: authorizations for these identifiers not valid'
    return {
      status,
      expires: new Date(order.expiresAt).toISOString(),
      identifiers: order.authorizations.map(({ name }) => identifierOf(name)),
      authorizations: order.authorizations.map((each) => authorizations.urlOf(each)),
      finalize: url(`/finalize/${order.id}`),
      ...(status === 'valid' && { certificate: url(`/certificate/${order.certificate!.id}`) }),
      ...(status === 'invalid' && { error: { type: urn('unauthorized'), detail } }),
    }
  }
}

function domainsOf(names: readonly string[]): Set<string> {
  return new Set(names.map(registeredDomain))
}
