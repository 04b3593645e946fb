import { isIP } from 'node:net'
import type { ChallengeType } from '../challenges/solver.ts'
import { type CaaSubject, caaFault } from './caa.ts'
import type { NameResolver } from './name-resolver.ts'
import { describeProbe, type ProbeAnswer } from './probe.ts'

/** Asks for a challenge's answer of ours at the addresses of a name, as a CA would. */
export type AskProbe = (name: string, addresses: readonly string[], challenge: ChallengeType) => Promise<ProbeAnswer[]>

/**
 * Looks whether a public CA can validate these names at all, before it is asked: what is plainly hopeless would only use up
 * the failures that it allows. Gives each name that is, with a sentence on what to do; what cannot be found out is left to
 * the CA. `subject` without identities leaves out CAA; without `probe` nobody is asked who answers at the names.
 */
export async function lookBefore(
  names: readonly string[],
  subject: CaaSubject,
  resolver: NameResolver,
  probe?: AskProbe,
): Promise<{ readonly name: string; readonly reason: string }[]> {
  const faults = await Promise.all(names.map((name) => faultOf(name, subject, resolver, probe)))
  return names.flatMap((name, index) => {
    const reason = faults[index]
    return reason === undefined ? [] : [{ name, reason }]
  })
}

async function faultOf(
  name: string,
  subject: CaaSubject,
  resolver: NameResolver,
  probe: AskProbe | undefined,
): Promise<string | undefined> {
  if (isIP(name) !== 0) return probe && strangersAt(name, [name], subject, probe)
  const caa = subject.identities.length === 0 ? undefined : await caaFault(name, subject, resolver)
  if (caa !== undefined) return caa
  // By dns-01 a name may be proven that leads nowhere.
  if (name.startsWith('*.')) return undefined
  const addresses = await resolver.addresses(name)
  // Where it leads from outside may be another thing: networks have views of their own.
  if (addresses === undefined) return undefined
  if (addresses.length > 0) return probe && strangersAt(name, addresses, subject, probe)
  return `${name} leads nowhere: create an A or AAAA record for it with the address at which this machine is reached`
}

/**
 * Hopeless is only what somebody else answers at every address, for every challenge: that nobody answers may be so from
 * here alone, and one that does not answer wrongly may be the one that the CA asks.
 */
async function strangersAt(
  name: string,
  addresses: readonly string[],
  { challenges }: CaaSubject,
  probe: AskProbe,
): Promise<string | undefined> {
  const answers: ProbeAnswer[] = []
  for (const challenge of challenges) {
    const found = await probe(name, addresses, challenge)
    if (found.some(({ outcome }) => outcome !== 'other')) return undefined
    answers.push(...found)
  }
  if (answers.length === 0) return undefined
  const seen = answers.map(describeProbe).join('; ')
  return `${name} leads to somebody else: ${seen}: let it lead to the address at which this machine is reached`
}
