import { isIP } from 'node:net'
import type { AskProbe } from './look.ts'
import type { NameResolver } from './name-resolver.ts'
import { describeProbe } from './probe.ts'

/** What is asked of the world to see how it stands with a name. */
export type Sight = {
  readonly resolver: NameResolver
  /** The addresses of this machine's own network interfaces. */
  readonly ownAddresses: () => readonly string[]
  /** Who answers at a name; undefined where port 80 is not served here. */
  readonly probe: AskProbe | undefined
  /** Why CAA keeps the CA out, in a sentence without a full stop; undefined if nothing does. Rejects if that is unknown. */
  readonly caaFault: ((name: string, signal: AbortSignal) => Promise<string | undefined>) | undefined
}

/** More names, or more addresses of one, than a person reads. */
const MAX_NAMES = 3
const MAX_ADDRESSES = 5

/** What can be seen from here of these names, in sentences. Never rejects. What nobody answers is said to be so. */
export async function lookAround(names: readonly string[], sight: Sight, signal: AbortSignal): Promise<string[]> {
  const seen = await Promise.all(names.slice(0, MAX_NAMES).map((name) => lookAt(name, sight, signal)))
  return seen.flat()
}

async function lookAt(name: string, sight: Sight, signal: AbortSignal): Promise<string[]> {
  if (isIP(name) !== 0) return seenOnPort80(name, [name], sight)
  const caa = seenInCaa(name, sight, signal)
  if (name.startsWith('*.')) return caa
  const addresses = await sight.resolver.addresses(name).catch(() => undefined)
  const answers = seenOnPort80(name, addresses ?? [], sight)
  return [seenInDns(name, addresses, sight), ...(await answers), ...(await caa)]
}

function seenInDns(name: string, addresses: readonly string[] | undefined, { ownAddresses }: Sight): string {
  if (addresses === undefined) return `No name server answered for ${name}.`
  if (addresses.length === 0) return `${name} resolves to no address.`
  const own = new Set(ownAddresses())
  const list = addresses.slice(0, MAX_ADDRESSES).join(', ')
  return addresses.every((address) => own.has(address))
    ? `${name} resolves to ${list}, which is this machine.`
    : `${name} resolves to ${list}; not all of that is an address of this machine itself, which is right only behind a router or load balancer.`
}

async function seenOnPort80(name: string, addresses: readonly string[], { probe }: Sight): Promise<string[]> {
  if (probe === undefined || addresses.length === 0) return []
  try {
    const answers = await probe(name, addresses.slice(0, MAX_ADDRESSES), 'http-01')
    const where = isIP(name) === 0 ? `${name} at ` : ''
    return [`As seen from here, ${where}${answers.map(describeProbe).join('; ')}.`]
  } catch {
    return []
  }
}

async function seenInCaa(name: string, { caaFault }: Sight, signal: AbortSignal): Promise<string[]> {
  if (caaFault === undefined) return []
  try {
    const fault = await caaFault(name, signal)
    return [fault === undefined ? `No CAA record that can be seen keeps the CA from ${name}.` : sentence(fault)]
  } catch {
    return []
  }
}

function sentence(text: string): string {
  return `${text[0]!.toUpperCase()}${text.slice(1)}.`
}
