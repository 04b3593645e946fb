import { checkClock } from '../acme/clock-check.ts'
import { type Directory, parseDirectory } from '../acme/directory.ts'
import { AcmeResponse } from '../acme/response.ts'
import type { Transport, TransportResponse } from '../acme/transport.ts'
import { describeError } from '../errors.ts'
import type { AcmeIssuerConfig } from '../issuers/acme-config.ts'
import type { Clock } from '../system/clock.ts'
import type { Finding } from './finding.ts'

/** What a CA's directory has shown; without one where it could not be had. */
export type Authority = { readonly directory: Directory | undefined; readonly findings: readonly Finding[] }

/** Beyond this a person should set the clock, although certificates bear more. */
const MAX_SKEW_MS = 60_000

/** Asks a CA for its directory, once, and looks whether it would take our orders and whether its clock agrees with ours. */
export async function examineAuthority(
  config: AcmeIssuerConfig,
  { transport, clock, signal }: { readonly transport: Transport; readonly clock: Clock; readonly signal: AbortSignal },
): Promise<Authority> {
  const { name, directory: url } = config
  const finding = { check: 'ca', subject: name } as const
  try {
    const began = clock.now()
    const response = await transport.send({ method: 'GET', url, headers: { Accept: 'application/json' } }, signal)
    const now = clock.now()
    const directory = parseDirectory(
      AcmeResponse.accept(response, { what: 'its directory', isGeneral: true }, now).json(),
      url,
    )
    const seen = `${url} answered in ${now - began} ms`
    return {
      directory,
      findings: [{ ...finding, level: 'ok', seen, ...faultOf(config, directory) }, clockOf(name, response, now)],
    }
  } catch (error) {
    const advice = 'See whether this machine reaches it: name resolution, firewall, proxy.'
    return { directory: undefined, findings: [{ ...finding, level: 'fail', seen: describeError(error), advice }] }
  }
}

/** What the CA would refuse, or leave out. */
function faultOf(
  { acceptTerms, externalAccount, profile }: AcmeIssuerConfig,
  { termsOfService, externalAccountRequired, profiles }: Directory,
): Partial<Finding> {
  if (termsOfService !== undefined && !acceptTerms)
    return {
      level: 'fail',
      seen: `its terms are not accepted: ${termsOfService}`,
      advice: 'Read them, then set acceptTerms: true.',
    }
  if (externalAccountRequired && externalAccount === undefined)
    return {
      level: 'fail',
      seen: 'it wants an external account',
      advice: 'Set externalAccount to what the CA gave you.',
    }
  if (profile === undefined || profiles.includes(profile.name)) return {}
  const offered = profiles.length === 0 ? 'none' : profiles.join(', ')
  const seen = `it has no profile ${profile.name}; it offers ${offered}`
  return { level: profile.required ? 'fail' : 'warn', seen, advice: 'Name one that it offers, or leave "profile" out.' }
}

function clockOf(issuer: string, response: TransportResponse, now: number): Finding {
  const finding = { check: 'clock', subject: issuer } as const
  const theirs = Date.parse(String(response.headers.date))
  if (Number.isNaN(theirs)) return { ...finding, level: 'ok', seen: 'the CA does not tell its time' }
  const skew = Math.round((now - theirs) / 1000)
  const seen =
    Math.abs(skew) <= 1 ? 'agrees with the CA’s' : `is ${Math.abs(skew)} s ${skew < 0 ? 'behind' : 'ahead of'} the CA’s`
  const advice = 'Set the clock; timedatectl shows whether it is synchronised.'
  try {
    checkClock(response, now)
  } catch {
    return { ...finding, level: 'fail', seen: `${seen}: nothing is ordered so`, advice }
  }
  return Math.abs(skew) * 1000 > MAX_SKEW_MS
    ? { ...finding, level: 'warn', seen, advice }
    : { ...finding, level: 'ok', seen }
}
