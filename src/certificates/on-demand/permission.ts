import { BlockList, isIPv6 } from 'node:net'
import { describeError } from '../../errors.ts'
import type { NameResolver } from '../../preflight/name-resolver.ts'
import type { Ask, AskReply } from './ask-client.ts'

/** Whether a name may have a certificate, and if not, why and for how long that counts. */
export type Verdict =
  | { readonly type: 'yes'; readonly because: string }
  | { readonly type: 'no'; readonly reason: string; readonly forMs: number }
  /** Nobody has said. `isFault`: something is wrong that the operator can put right. */
  | { readonly type: 'unknown'; readonly reason: string; readonly forMs: number; readonly isFault: boolean }

export type PermissionOptions = {
  /** Names, and wildcards for one label. */
  readonly allow: readonly string[]
  /** undefined: nobody is asked, and only what is allowed may. */
  readonly ask: Ask | undefined
  /** Addresses and networks that names must lead to; undefined: they may lead anywhere. */
  readonly addresses: readonly string[] | undefined
  readonly resolver: Pick<NameResolver, 'addresses'>
  readonly refusedForMs: number
}

/** Questions at a time. One that hangs does so for 5 s: with these, 10 names a second get an answer even then. */
const MAX_CONCURRENT = 50
/** What is somebody's fault may soon be put right. */
const FAULT_MS = 60_000
const BUSY_MS = 1_000
/** Whatever an answer says of itself. */
const MIN_REFUSED_MS = 1_000
const MAX_REFUSED_MS = 24 * 60 * 60 * 1000

const YES = new Set([200, 201, 202, 203, 204, 205, 206])
const NO = new Set([403, 404, 410])

/** Who may have a certificate on demand: those on the list, and those that the operator's program lets in. */
export class Permission {
  readonly #options: PermissionOptions
  readonly #allowed: ReadonlySet<string>
  readonly #ours: BlockList | undefined
  #asking = 0

  constructor(options: PermissionOptions) {
    this.#options = options
    this.#allowed = new Set(options.allow)
    this.#ours = options.addresses && networks(options.addresses)
  }

  /** Whether somebody has to be asked about it. */
  asksFor(name: string): boolean {
    return this.#options.ask !== undefined && !this.#isAllowed(name)
  }

  /** @param address of the client that comes with the name, if one does. Never rejects, but for the signal. */
  async of(name: string, address: string | undefined, signal: AbortSignal): Promise<Verdict> {
    const verdict = this.#isAllowed(name) ? LISTED : await this.#ask(name, address, signal)
    return verdict.type === 'yes' ? ((await this.#elsewhere(name)) ?? verdict) : verdict
  }

  #isAllowed(name: string): boolean {
    return this.#allowed.has(name) || this.#allowed.has(`*${name.slice(name.indexOf('.'))}`)
  }

  async #ask(name: string, address: string | undefined, signal: AbortSignal): Promise<Verdict> {
    const { ask, refusedForMs } = this.#options
    if (ask === undefined) return { type: 'no', reason: 'it is not among those that are allowed', forMs: refusedForMs }
    if (this.#asking >= MAX_CONCURRENT)
      return { type: 'unknown', reason: 'too many names are being asked about', forMs: BUSY_MS, isFault: false }
    this.#asking++
    try {
      return this.#judge(await ask(name, address, signal))
    } catch (error) {
      signal.throwIfAborted()
      return { type: 'unknown', reason: describeError(error), forMs: FAULT_MS, isFault: true }
    } finally {
      this.#asking--
    }
  }

  #judge({ status, maxAgeMs = this.#options.refusedForMs }: AskReply): Verdict {
    if (YES.has(status)) return { type: 'yes', because: `ask said ${status}` }
    const forMs = Math.min(Math.max(maxAgeMs, MIN_REFUSED_MS), MAX_REFUSED_MS)
    if (NO.has(status)) return { type: 'no', reason: `ask said ${status}`, forMs }
    const reason = `ask said ${status}, which is neither yes (200) nor no (403, 404)`
    return { type: 'unknown', reason, forMs: FAULT_MS, isFault: true }
  }

  /** A name that leads elsewhere could not be validated here, and one that leads to us by half might not. */
  async #elsewhere(name: string): Promise<Verdict | undefined> {
    const ours = this.#ours
    if (ours === undefined) return undefined
    const found = await this.#options.resolver.addresses(name)
    if (found === undefined)
      return { type: 'unknown', reason: 'no name server says where it leads', forMs: FAULT_MS, isFault: false }
    const others = found.filter((address) => !ours.check(address, isIPv6(address) ? 'ipv6' : 'ipv4'))
    if (found.length > 0 && others.length === 0) return undefined
    const reason =
      found.length === 0 ? 'it leads nowhere' : `it leads to ${others.slice(0, 3).join(', ')}, which is not here`
    // Of the customer who is just about to move a name here.
    return { type: 'unknown', reason, forMs: FAULT_MS, isFault: false }
  }
}

const LISTED: Verdict = { type: 'yes', because: 'it is among those that are allowed' }

function networks(addresses: readonly string[]): BlockList {
  const list = new BlockList()
  for (const written of addresses) {
    const [address = '', length] = written.split('/')
    const family = isIPv6(address) ? 'ipv6' : 'ipv4'
    if (length === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(length), family)
  }
  return list
}
