import type { CaAnswer } from './answer.ts'

export type Profile = { readonly lifetimeMs: number; readonly maxNames: number; readonly reuseMs: number }

const HOUR_MS = 60 * 60 * 1000
const DAY_MS = 24 * HOUR_MS

/** Let's Encrypt's, with the lifetimes of the end of 2026. */
const letsEncryptProfiles: Readonly<Record<string, Profile>> = {
  classic: { lifetimeMs: 90 * DAY_MS, maxNames: 100, reuseMs: 30 * DAY_MS },
  tlsserver: { lifetimeMs: 45 * DAY_MS, maxNames: 25, reuseMs: 7 * HOUR_MS },
  shortlived: { lifetimeMs: 160 * HOUR_MS, maxNames: 25, reuseMs: 7 * HOUR_MS },
}

/** What the CA says of itself (RFC 8555 §7.1.1). */
export class CaDirectory {
  readonly profiles = new Map(Object.entries(letsEncryptProfiles))
  /** Of orders that name none. */
  defaultProfile = 'classic'
  /** Whether the profiles are told; a CA without them refuses an order that names one. */
  tellsProfiles = true
  /** Told, and refused all the same. */
  readonly refusedProfiles = new Set<string>()
  hasRenewalInfo = true
  terms: string | undefined = 'https://ca.test/terms/1'
  externalAccountRequired = false
  caaIdentities: readonly string[] = ['ca.test']
  readonly #url: (path: string) => string

  constructor(url: (path: string) => string) {
    this.#url = url
  }

  answer(): CaAnswer {
    const url = this.#url
    const profiles = Object.fromEntries([...this.profiles.keys()].map((name) => [name, `https://ca.test/${name}`]))
    return {
      body: {
        newNonce: url('/new-nonce'),
        newAccount: url('/new-account'),
        newOrder: url('/new-order'),
        revokeCert: url('/revoke-cert'),
        ...(this.hasRenewalInfo && { renewalInfo: url('/renewal-info') }),
        'a name that nobody knows': 'https://community.letsencrypt.org/t/adding-random-entries-to-the-directory/33417',
        meta: {
          termsOfService: this.terms,
          caaIdentities: this.caaIdentities,
          externalAccountRequired: this.externalAccountRequired,
          ...(this.tellsProfiles && { profiles }),
        },
      },
    }
  }
}
