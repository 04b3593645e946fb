import type { ChallengeType } from '../challenges/solver.ts'
import type { CaaRecord, NameResolver } from './name-resolver.ts'

/** Who would issue, for whom, and how it would be proven. */
export type CaaSubject = {
  /** How CAA records call this CA (RFC 8555 §7.1.1, `caaIdentities`). */
  readonly identities: readonly string[]
  readonly accountUrl: string
  readonly challenges: readonly ChallengeType[]
}

/**
 * Why a CA may not issue for a name, in a sentence; undefined if it may, or nothing is known. The records that count are
 * those of the name itself, or of the nearest one above it that has any (RFC 8659 §3).
 */
export async function caaFault(name: string, subject: CaaSubject, resolver: NameResolver): Promise<string | undefined> {
  const isWildcard = name.startsWith('*.')
  const labels = (isWildcard ? name.slice(2) : name).split('.')
  for (let at = 0; at < labels.length; at++) {
    const owner = labels.slice(at).join('.')
    const records = await resolver.caa(owner)
    if (records === undefined) return undefined
    if (records.length > 0) return faultIn(records, { name, owner, isWildcard, subject })
  }
  return undefined
}

/** RFC 8659 §4.1: bit 0, counted from the highest. */
const CRITICAL = 128

type Case = {
  readonly name: string
  readonly owner: string
  readonly isWildcard: boolean
  readonly subject: CaaSubject
}

/** RFC 8659 §4 and what CAs have defined since: anything else that is marked critical forbids whoever does not know it. */
const KNOWN_TAGS: ReadonlySet<string> = new Set([
  'critical',
  'type',
  'issue',
  'issuewild',
  'iodef',
  'contactemail',
  'contactphone',
  'issuevmc',
  'issuemail',
])

function faultIn(records: readonly CaaRecord[], { name, owner, isWildcard, subject }: Case): string | undefined {
  const strange = records
    .filter(({ critical }) => critical >= CRITICAL)
    .flatMap((record) => Object.keys(record))
    .find((tag) => !KNOWN_TAGS.has(tag))
  if (strange !== undefined)
    return `the CAA records of ${owner} have one called ${strange} that is critical, so no CA issues for ${name}: remove it`
  const wild = records.flatMap(({ issuewild }) => issuewild ?? [])
  const issue = records.flatMap((record) => record.issue ?? [])
  // RFC 8659 §4.3: for a wildcard, issuewild counts in place of issue, if there is one.
  const values = isWildcard && wild.length > 0 ? wild : issue
  if (values.length === 0) return undefined
  const ours = values.map(parse).filter(({ issuer }) => subject.identities.includes(issuer))
  const tag = isWildcard && wild.length > 0 ? 'issuewild' : 'issue'
  const remedy = `add ${owner}. CAA 0 ${tag} "${subject.identities[0]}"`
  if (ours.length === 0) return `the CAA records of ${owner} do not let this CA issue for ${name}: ${remedy}`
  const faults = ours.map(({ parameters }) => parameterFault(parameters, subject))
  if (faults.includes(undefined)) return undefined
  return `the CAA records of ${owner} let this CA issue for ${name} only ${faults[0]}`
}

/** `letsencrypt.org; accounturi=https://…; validationmethods=dns-01` (RFC 8659 §4.2). */
function parse(value: string): { issuer: string; parameters: ReadonlyMap<string, string> } {
  const [issuer = '', ...rest] = value.split(';').map((part) => part.trim())
  const parameters = new Map<string, string>()
  for (const part of rest) {
    const at = part.indexOf('=')
    if (at > 0) parameters.set(part.slice(0, at).trim().toLowerCase(), part.slice(at + 1).trim())
  }
  return { issuer: issuer.toLowerCase(), parameters }
}

/** RFC 8657 §3 and §4. */
function parameterFault(
  parameters: ReadonlyMap<string, string>,
  { accountUrl, challenges }: CaaSubject,
): string | undefined {
  const account = parameters.get('accounturi')
  if (account !== undefined && account !== accountUrl) return `to the account ${account}; this one is ${accountUrl}`
  const methods = parameters.get('validationmethods')?.split(',')
  if (methods !== undefined && !methods.some((method) => challenges.some((each) => each === method.trim())))
    return `by ${methods.join(', ')}; configured are ${challenges.join(', ')}`
  return undefined
}
