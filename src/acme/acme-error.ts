import { CastellanError, type Facts } from '../errors.ts'

export type AcmeErrorCode =
  /** No connection, or it broke: name resolution, refusal, reset. */
  | 'acme-unreachable'
  /** The directory's own certificate is not signed by anyone trusted here. */
  | 'acme-untrusted'
  /** No whole answer in time. */
  | 'acme-timeout'
  /** RFC 8555 servers do not redirect API requests. */
  | 'acme-redirect'
  | 'acme-response-too-large'
  /** Not what RFC 8555 prescribes: HTML, wrong type, missing or malformed fields. */
  | 'acme-response-invalid'
  /** A server error without a problem document: a load balancer's page, mostly. */
  | 'acme-unavailable'
  /** A problem document (RFC 8555 §6.7): see AcmeProblemError. */
  | 'acme-problem'
  /** Every nonce was refused, the one that came with each refusal included. */
  | 'acme-nonces-refused'
  /** The CA was not asked, as it could not have validated the names. */
  | 'names-hopeless'
  /** This machine's clock and the CA's differ by more than certificates bear. */
  | 'clock-wrong'
  | 'terms-not-accepted'
  | 'external-account-required'
  | 'external-account-invalid'
  | 'account-unusable'
  | 'account-key-reused'
  /** Something was asked about an account, and none is stored. */
  | 'account-unknown'
  /** The CA cannot do this at all: its directory has no such resource. */
  | 'acme-not-offered'
  | 'profile-not-offered'
  /** The order has more names than the CA puts into one certificate. */
  | 'too-many-names'
  /** None of the configured challenge types is offered for a name. */
  | 'challenge-not-offered'
  /** The CA tried to validate names and could not: see AuthorizationError. */
  | 'authorization-failed'
  | 'order-invalid'
  | 'order-timeout'
  /** The certificate that came is not the one that was asked for; the cause says how. */
  | 'certificate-unusable'

export type AcmeErrorOptions = {
  readonly cause?: unknown
  /** How long the CA asked to be left alone (Retry-After), in milliseconds. */
  readonly retryAfterMs?: number | undefined
  readonly concernsCa?: boolean
  /** See AcmeError. */
  readonly badNames?: readonly { readonly name: string; readonly reason: string }[]
}

/** None of them has anything to do with what was asked for. */
const ABOUT_CA = new Set<AcmeErrorCode>([
  'acme-unreachable',
  'acme-untrusted',
  'acme-timeout',
  'acme-unavailable',
  'acme-nonces-refused',
])

/** Without a connection. One that broke may have been heard. */
const UNHEARD = new Set<unknown>(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'])

/** What went wrong between us and an ACME server. The message keeps the CA's own words. */
export class AcmeError extends CastellanError {
  declare readonly code: AcmeErrorCode
  /** How long the CA asked to be left alone (Retry-After), in milliseconds, if it did. */
  readonly retryAfterMs: number | undefined
  /** Whether it was about the CA as such: an order for any other names would have met the same. */
  readonly concernsCa: boolean
  /** Those of the names that it was about, with the reason for each, where they are known: others may do without them. */
  badNames: readonly { readonly name: string; readonly reason: string }[]

  constructor(code: AcmeErrorCode, message: string, facts: Facts = {}, options: AcmeErrorOptions = {}) {
    super(code, message, facts, options)
    this.retryAfterMs = options.retryAfterMs
    this.concernsCa = options.concernsCa ?? ABOUT_CA.has(code)
    this.badNames = options.badNames ?? []
  }

  /** Whether the same request may well succeed in a few seconds. */
  get transient(): boolean {
    return this.code === 'acme-unreachable' || this.code === 'acme-timeout' || this.code === 'acme-unavailable'
  }

  /** The CA has not been asked, and so nothing is lost by looking again soon. */
  get isForesight(): boolean {
    return this.code === 'names-hopeless' || this.code === 'clock-wrong'
  }

  /** The same, met where nothing of an order is known yet. */
  atTheDoor(): AcmeError {
    const { cause, retryAfterMs } = this
    return new AcmeError(this.code, this.message, this.facts, { cause, retryAfterMs, concernsCa: true })
  }

  /** The CA has surely not taken up the request: it got none, or none whose nonce it took (RFC 8555 §6.5). */
  get isUnheard(): boolean {
    const { code, facts } = this
    if (code === 'acme-untrusted' || code === 'acme-nonces-refused') return true
    return code === 'acme-unreachable' && UNHEARD.has(facts.reason)
  }

  /** The CA does not take keys of this kind, or what is signed with them. */
  get refusesKey(): boolean {
    return false
  }

  /** Whether it was about the names: an order for another key would have met the same. */
  get concernsNames(): boolean {
    return this.code === 'authorization-failed' || this.code === 'names-hopeless'
  }
}
