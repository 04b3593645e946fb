import { isIP } from 'node:net'
import type { Directory } from '../acme/directory.ts'
import type { ChallengeType } from '../challenges/solver.ts'
import { isPublicName } from '../pki/public-name.ts'
import { caaFault } from '../preflight/caa.ts'
import type { NameResolver } from '../preflight/name-resolver.ts'
import { describeProbe, type ProbeAnswer } from '../preflight/probe.ts'
import type { Finding } from './finding.ts'

/** A CA that a name's certificates are asked of. */
export type NameIssuer = {
  readonly issuer: string
  /** Undefined where it could not be reached. */
  readonly directory: Directory | undefined
  /** Undefined where there is none yet. */
  readonly accountUrl: string | undefined
  readonly challenges: readonly ChallengeType[]
  /** It sees the names as anybody does; one of your own may see others, and ask at other ports. */
  readonly isPublic: boolean
}

export type NameOptions = {
  readonly resolver: NameResolver
  /** Addresses as this machine has them itself, from its hosts file say; for names of private networks. */
  readonly lookup: (name: string) => Promise<readonly string[]>
  readonly ownAddresses: ReadonlySet<string>
  /** Undefined where nothing of ours could answer. */
  readonly probe: ((name: string, addresses: readonly string[]) => Promise<readonly ProbeAnswer[]>) | undefined
}

/** Whether CAs could validate a name: where it leads, what CAA says, and who answers there. Nothing for the internal CA. */
export async function examineName(
  name: string,
  issuers: readonly NameIssuer[],
  options: NameOptions,
): Promise<Finding[]> {
  if (issuers.length === 0) return []
  const isPublic = issuers.some((issuer) => issuer.isPublic)
  const caa = await Promise.all(issuers.map((issuer) => examineCaa(name, issuer, options.resolver)))
  const found = caa.filter((finding) => finding !== undefined)
  if (name.startsWith('*.')) return found
  const addresses = await addressesOf(name, isPublic, options)
  const leads = examineAddresses(name, addresses, isPublic, options.ownAddresses)
  const knocks =
    addresses === undefined || addresses.length === 0 ? [] : [await examineDoor(name, addresses, isPublic, options)]
  return [leads, ...found, ...knocks]
}

async function addressesOf(name: string, isPublic: boolean, { resolver, lookup }: NameOptions) {
  if (isIP(name) !== 0) return [name]
  const known = await resolver.addresses(name)
  return isPublic || (known?.length ?? 0) > 0 ? known : lookup(name)
}

function examineAddresses(
  name: string,
  addresses: readonly string[] | undefined,
  isPublic: boolean,
  own: ReadonlySet<string>,
): Finding {
  const finding = { check: 'name', subject: name } as const
  if (addresses === undefined)
    return {
      ...finding,
      level: 'warn',
      seen: 'no name server answers',
      advice: 'See whether this machine can resolve names.',
    }
  if (addresses.length === 0) {
    const advice = 'Create an A or AAAA record with the address at which this machine is reached.'
    return { ...finding, level: 'fail', seen: 'leads nowhere', advice }
  }
  const seen = `leads to ${addresses.join(', ')}`
  const hidden = isPublic ? addresses.filter((address) => !isPublicName(address)) : []
  if (hidden.length > 0) {
    const advice =
      'A public CA cannot reach such an address; it is well if name servers outside of this network say another.'
    return { ...finding, level: 'warn', seen: `${seen}: ${hidden.join(', ')} is private`, advice }
  }
  const others = addresses.filter((address) => !own.has(address))
  if (others.length === 0) return { ...finding, level: 'ok', seen: `${seen}, of this machine` }
  const advice = 'Behind NAT or a load balancer that is as it should be, and the answer of port 80 decides.'
  return { ...finding, level: 'warn', seen: `${seen}: ${others.join(', ')} is no address of this machine`, advice }
}

async function examineCaa(name: string, issuer: NameIssuer, resolver: NameResolver): Promise<Finding | undefined> {
  const { directory, accountUrl = 'not registered yet', challenges } = issuer
  const identities = directory?.caaIdentities ?? []
  if (isIP(name) !== 0 || identities.length === 0) return undefined
  const fault = await caaFault(name, { identities, accountUrl, challenges }, resolver)
  const finding = { check: 'caa', subject: name } as const
  if (fault !== undefined) {
    const advice = 'Change the CAA records, or name another issuer; what changes is seen when the records’ TTL is over.'
    return { ...finding, level: 'fail', seen: `${issuer.issuer}: ${fault}`, advice }
  }
  const account = issuer.accountUrl === undefined ? '' : `, as the account ${issuer.accountUrl}`
  return { ...finding, level: 'ok', seen: `lets ${issuer.issuer} (${identities[0]}) issue${account}` }
}

async function examineDoor(
  name: string,
  addresses: readonly string[],
  isPublic: boolean,
  { probe }: NameOptions,
): Promise<Finding> {
  const finding = { check: 'port 80', subject: name } as const
  if (probe === undefined)
    return { ...finding, level: 'warn', seen: 'not asked, as nothing of ours listens for plain HTTP' }
  const answers = await probe(name, addresses)
  const seen = answers.map(describeProbe).join('; ')
  if (answers.some(({ outcome }) => outcome === 'other')) {
    const advice = 'Let the name lead to this machine, or whoever answers pass /.well-known/acme-challenge/ on to it.'
    return { ...finding, level: isPublic ? 'fail' : 'warn', seen, advice }
  }
  if (answers.every(({ outcome }) => outcome === 'ours')) return { ...finding, level: 'ok', seen }
  if (answers.some(({ outcome }) => outcome === 'elsewhere')) {
    const advice = 'A CA follows redirects to ports 80 and 443; this look does not.'
    return { ...finding, level: 'warn', seen, advice }
  }
  const advice =
    'From inside of a network that may be so although it is reached from outside: try http://' +
    `${name.includes(':') ? `[${name}]` : name}/ from elsewhere, and see to port 80 in firewall and router.`
  return { ...finding, level: 'warn', seen, advice }
}
