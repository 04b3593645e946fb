import type { Issuer, IssuerIdentity } from '../../issuers/issuer.ts'
import type { WantedCertificate } from '../wanted.ts'
import type { OrderFacts, Wait } from './order-facts.ts'

/** What decides whether a CA counts an order, of a certificate that we have. Times in ms since 1970. */
export type Former = {
  readonly names: readonly string[]
  readonly issuer: string
  readonly authority: string
  readonly obtainedAt: number
  /** When its CA would like it to be renewed. */
  readonly window?: { readonly start: number; readonly end: number } | undefined
}

/** Boulder looks back 120 days; a day is left for clocks and for what is under way. */
const RENEWAL_MS = 119 * 24 * 60 * 60 * 1000

/**
 * How a CA would count an order of this certificate.
 *
 * @param held what it replaces, if anything.
 * @param others what there is for the same names, with other keys.
 */
export function orderOf(
  { names, site }: Pick<WantedCertificate, 'names' | 'site'>,
  issuer: IssuerIdentity & Pick<Issuer, 'hasAccount'>,
  held: Former | undefined,
  others: readonly Former[],
  now: number,
): OrderFacts {
  const { authority, name } = issuer
  const isRenewal = [...(held === undefined ? [] : [held]), ...others].some(
    (former) => former.authority === authority && now - former.obtainedAt < RENEWAL_MS && isSame(former.names, names),
  )
  return {
    authority,
    account: issuer.accountFor?.(site) ?? name,
    needsAccount: issuer.hasAccount?.(site) === false,
    names,
    isSuggested: held !== undefined && isSuggested(held, issuer, names, now),
    isRenewal,
  }
}

/** RFC 9773 §5, as Let's Encrypt has it: a name in common, and now is within the window. */
function isSuggested(
  held: Former,
  { name, authority }: IssuerIdentity,
  names: readonly string[],
  now: number,
): boolean {
  const { window } = held
  if (window === undefined || held.issuer !== name || held.authority !== authority) return false
  return window.start <= now && now < window.end && held.names.some((each) => names.includes(each))
}

function isSame(some: readonly string[], others: readonly string[]): boolean {
  return some.length === others.length && some.every((name) => others.includes(name))
}

/** The preferred issuer is waited for up to this; after that, another one that gives the certificate sooner is asked. */
const PATIENCE_MS = 60 * 60 * 1000

/**
 * What a certificate waits for.
 *
 * @param waits for each issuer in order of preference, why it would refuse it now; undefined for one that would not.
 */
export function waitOfAll(waits: readonly (Wait | undefined)[], now: number): Wait | undefined {
  const [preferred] = waits
  if (preferred === undefined || preferred.at - now <= PATIENCE_MS) return preferred
  if (waits.includes(undefined)) return undefined
  return waits.reduce((sooner, wait) => (wait!.at < sooner!.at ? wait : sooner))
}
