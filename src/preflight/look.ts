import { isIP } from 'node:net'
import { type CaaSubject, caaFault } from './caa.ts'
import type { NameResolver } from './name-resolver.ts'

/**
 * Looks whether a public CA can validate these names at all, before it is asked: what is plainly hopeless would only use up
 * the failures that it allows. Gives a sentence for each name that is, with what to do; what cannot be found out is left to
 * the CA. `subject` without identities leaves out CAA.
 */
export async function lookBefore(
  names: readonly string[],
  subject: CaaSubject,
  resolver: NameResolver,
): Promise<string[]> {
  const faults = await Promise.all(names.map((name) => faultOf(name, subject, resolver)))
  return faults.filter((fault) => fault !== undefined)
}

async function faultOf(name: string, subject: CaaSubject, resolver: NameResolver): Promise<string | undefined> {
  if (isIP(name) !== 0) return undefined
  const caa = subject.identities.length === 0 ? undefined : await caaFault(name, subject, resolver)
  if (caa !== undefined) return caa
  // By dns-01 a name may be proven that leads nowhere.
  if (name.startsWith('*.')) return undefined
  const addresses = await resolver.addresses(name)
  // Where it leads from outside may be another thing: networks have views of their own.
  if (addresses === undefined || addresses.length > 0) return undefined
  return `${name} leads nowhere: create an A or AAAA record for it with the address at which this machine is reached`
}
