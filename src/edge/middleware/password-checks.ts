import { createHmac } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { type PasswordHash, verifyPassword } from '../../password/password-hash.ts'

/** Of the four threads of the runtime, which also resolve the names of upstreams. */
const AT_ONCE = 2
/** Some ten seconds of work with common hashes. */
const MAX_WAITING = 64
/** Of one client: browsers open six connections. Others must find room. */
const MAX_WAITING_OF_CLIENT = 8

/** A password that was changed is another worker's matter: each config has workers of its own. */
const REMEMBERED_MS = 5 * 60_000
const MAX_REMEMBERED = 1000

export type Verdict = 'right' | 'wrong' | 'busy'

type Check = {
  readonly hash: PasswordHash
  readonly password: Buffer
  readonly key: string
  readonly client: string
  /** Who waits for the same. Nobody: it need not be done. */
  readonly listeners: Set<(verdict: Verdict) => void>
}

export type PasswordChecksOptions = {
  readonly randomBytes: (size: number) => Buffer
  readonly verify?: (hash: PasswordHash, password: Buffer) => Promise<boolean>
  /** Gives milliseconds from any start. */
  readonly clock?: () => number
}

/**
 * The verifications of one worker. Each is meant to take long, so few are done at a time, few wait, and those that would be
 * too many are turned away. What was right is remembered for some minutes, by a keyed hash that is of no use elsewhere.
 */
export class PasswordChecks {
  readonly #secret: Buffer
  readonly #verify: (hash: PasswordHash, password: Buffer) => Promise<boolean>
  readonly #right: LRUCache<string, true>
  /** By key, in the order in which they came; the first are under way. */
  readonly #checks = new Map<string, Check>()
  #underWay = 0

  constructor({ randomBytes, verify = verifyPassword, clock = () => performance.now() }: PasswordChecksOptions) {
    this.#secret = randomBytes(32)
    this.#verify = verify
    this.#right = new LRUCache({ max: MAX_REMEMBERED, ttl: REMEMBERED_MS, ttlResolution: 0, perf: { now: clock } })
  }

  /** Whether this password has lately been verified. */
  wasRight(hash: PasswordHash, password: Buffer): boolean {
    return this.#right.has(this.#key(hash, password))
  }

  /** Verifies it and tells once, later; after `leave` nobody is told. `client` is who is to leave room for others. */
  check(
    hash: PasswordHash,
    password: Buffer,
    client: string,
    tell: (verdict: Verdict) => void,
  ): { readonly leave: () => void } {
    const key = this.#key(hash, password)
    const listeners = this.#join({ hash, password, key, client, listeners: new Set() })
    if (listeners === undefined) {
      let hasLeft = false
      setImmediate(() => hasLeft || tell('busy'))
      return {
        leave: () => {
          hasLeft = true
        },
      }
    }
    listeners.add(tell)
    this.#next()
    return { leave: () => listeners.delete(tell) }
  }

  /** Gives who waits for the same, or undefined where too many wait. */
  #join(check: Check): Check['listeners'] | undefined {
    const same = this.#checks.get(check.key)
    if (same !== undefined) return same.listeners
    this.#forgetUnwanted()
    const ofClient = [...this.#checks.values()].filter(({ client }) => client === check.client).length
    if (this.#checks.size >= MAX_WAITING || ofClient >= MAX_WAITING_OF_CLIENT) return undefined
    this.#checks.set(check.key, check)
    return check.listeners
  }

  #forgetUnwanted(): void {
    let at = 0
    for (const [key, { listeners }] of this.#checks)
      if (at++ >= this.#underWay && listeners.size === 0) this.#checks.delete(key)
  }

  #next(): void {
    let at = 0
    for (const check of this.#checks.values()) {
      if (this.#underWay >= AT_ONCE) return
      if (at++ < this.#underWay) continue
      this.#underWay++
      void this.#carryOut(check)
    }
  }

  async #carryOut({ hash, password, key, listeners }: Check): Promise<void> {
    // Where there is no memory for it, nobody is let in, and others are served.
    const isRight = await this.#verify(hash, password).catch(() => undefined)
    if (isRight) this.#right.set(key, true)
    this.#checks.delete(key)
    this.#underWay--
    this.#forgetUnwanted()
    this.#next()
    for (const tell of listeners) tell(isRight === undefined ? 'busy' : isRight ? 'right' : 'wrong')
  }

  #key(hash: PasswordHash, password: Buffer): string {
    return createHmac('sha256', this.#secret).update(hash.salt).update(hash.hash).update(password).digest('base64')
  }
}
