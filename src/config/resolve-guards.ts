import type { Auth, Cors, Guards, RateKey, RateLimit } from '../guards.ts'
import type { Spot } from './document.ts'
import type { Findings } from './findings.ts'
import type { GuardSettings, RateLimitSettings } from './guard-schema.ts'
import { Refusal } from './problem.ts'
import { resolveAuth } from './resolve-auth.ts'

/** What one place says of its guards. False turns off what a place around it says. */
export type GuardLayer = {
  readonly allow: readonly string[] | false | undefined
  readonly deny: readonly string[] | false | undefined
  readonly rateLimit: RateLimit | false | undefined
  readonly cors: Cors | false | undefined
  readonly auth: Auth | false | undefined
}

/** Makes ready what one place says. */
export async function settleGuards(
  { allow, deny, rateLimit, cors, auth }: GuardSettings,
  scope: 'site' | 'route',
  spot: Spot,
  findings: Findings,
): Promise<GuardLayer> {
  return {
    allow,
    deny,
    rateLimit: rateLimit && settleRateLimit(rateLimit, scope, spot.at('rateLimit'), findings),
    cors,
    auth: auth && (await resolveAuth(auth, spot.at('auth'), findings)),
  }
}

/** Of each guard, what the first of these says about it. */
export function guardsOf(layers: readonly GuardLayer[]): Guards | undefined {
  const said = <Key extends keyof GuardLayer>(key: Key): GuardLayer[Key] =>
    layers.find((layer) => layer[key] !== undefined)?.[key]
  const allow = said('allow') || []
  const deny = said('deny') || []
  const guards: Guards = {
    addresses:
      allow.length === 0 && deny.length === 0 ? undefined : { allow: allow.length === 0 ? undefined : allow, deny },
    rateLimit: said('rateLimit') || undefined,
    cors: said('cors') || undefined,
    auth: said('auth') || undefined,
  }
  return Object.values(guards).every((guard) => guard === undefined) ? undefined : guards
}

function settleRateLimit(
  { requests, per, by, burst = requests }: RateLimitSettings,
  scope: 'site' | 'route',
  spot: Spot,
  findings: Findings,
): RateLimit {
  return { requests, periodMs: per, burst, by: rateKey(by, spot.at('by'), findings), scope }
}

function rateKey(by: RateLimitSettings['by'], spot: Spot, findings: Findings): RateKey {
  if (by === 'clientAddress') return { type: 'clientAddress' }
  const { header, cookie } = by
  if ((header === undefined) === (cookie === undefined))
    findings.refuse(spot, new Refusal('allowed: clientAddress, { header: NAME } or { cookie: NAME }'))
  return header === undefined ? { type: 'cookie', name: cookie ?? '' } : { type: 'header', name: header.toLowerCase() }
}
