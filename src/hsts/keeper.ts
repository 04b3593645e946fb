import type { CertificateReport } from '../certificates/report.ts'
import { spokenTime } from '../certificates/spoken-time.ts'
import type { HstsPolicy, Site } from '../config/config.ts'
import { describeError } from '../errors.ts'
import type { Storage, StorageReader } from '../storage/storage.ts'
import { type Clock, pause } from '../system/clock.ts'
import type { Log } from '../telemetry/log.ts'
import { advance, type HstsMemory, hstsField } from './ramp.ts'

/** One value for all sites, as they change together or not at all. */
const KEY = 'hsts/sites'

/** A step of a ramp lasts a day at least: a few minutes more do not matter. */
const LOOK_MS = 10 * 60 * 1000

export type HstsChange = { readonly site: string; readonly field: string }

export type HstsKeeperOptions = {
  readonly sites: readonly Pick<Site, 'name' | 'hsts'>[]
  readonly storage: Storage
  readonly clock: Clock
  readonly log: Log
}

/**
 * Knows which Strict-Transport-Security each site sends now, moves ramps on while the certificates are well, and remembers
 * over restarts what browsers were told.
 */
export class HstsKeeper {
  readonly #options: HstsKeeperOptions
  readonly #policies: ReadonlyMap<string, HstsPolicy>
  readonly #stopping = new AbortController()
  #memories: ReadonlyMap<string, HstsMemory>
  #running: Promise<void> = Promise.resolve()

  private constructor(options: HstsKeeperOptions, memories: ReadonlyMap<string, HstsMemory>) {
    this.#options = options
    this.#memories = memories
    this.#policies = new Map(
      options.sites.flatMap(({ name, hsts }) => (hsts === undefined ? [] : [[name, hsts] as const])),
    )
  }

  /** Throws StorageError `storage-unreadable`. */
  static async open(options: HstsKeeperOptions): Promise<HstsKeeper> {
    const { storage, log } = options
    const recalled = await recallHsts(storage)
    if (recalled !== undefined) return new HstsKeeper(options, recalled)
    const aside = await storage.setAside(KEY)
    log.warn('hsts-damaged', `What is remembered of HSTS is damaged: ramps begin anew. It was moved to ${aside}.`)
    return new HstsKeeper(options, new Map())
  }

  /** What a site sends; undefined for nothing. */
  field(site: string): string | undefined {
    const policy = this.#policies.get(site)
    const memory = this.#memories.get(site)
    return policy && hstsField(policy, memory?.mode === policy.mode ? memory : undefined)
  }

  /** Looks now and from time to time. `reports` is how it stands with all certificates. */
  start(reports: () => readonly CertificateReport[], onChange: (changes: readonly HstsChange[]) => void): void {
    if (this.#policies.size === 0 && this.#memories.size === 0) return
    this.#running = this.#keep(reports, onChange)
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }

  async #keep(
    reports: () => readonly CertificateReport[],
    onChange: (changes: readonly HstsChange[]) => void,
  ): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const changes = await this.#look(reports())
      if (changes.length > 0) onChange(changes)
      await pause(this.#options.clock, LOOK_MS, this.#stopping.signal)
    }
  }

  async #look(reports: readonly CertificateReport[]): Promise<HstsChange[]> {
    const { clock, log } = this.#options
    const now = clock.now()
    const bySite = Map.groupBy(reports, ({ site }) => site)
    const next = new Map<string, HstsMemory>()
    const before = new Map([...this.#policies.keys()].map((name) => [name, this.field(name)]))
    for (const name of new Set([...this.#policies.keys(), ...this.#memories.keys()])) {
      const policy = this.#policies.get(name)
      const trouble = policy?.mode === 'ramp' ? troubleOf(bySite.get(name) ?? [], now) : undefined
      const { memory, event } = advance(name, policy, this.#memories.get(name), trouble, now)
      if (memory !== undefined) next.set(name, memory)
      if (event !== undefined) log[event.level]('hsts', event.message, { site: name })
    }
    const isSame = toText(next) === toText(this.#memories)
    this.#memories = next
    if (!isSame) await this.#store()
    return [...before].flatMap(([site, former]) => {
      const field = this.field(site)
      return field === undefined || field === former ? [] : [{ site, field }]
    })
  }

  /** Worth less than what is served: a full disk must not stop it. */
  async #store(): Promise<void> {
    const { storage, log } = this.#options
    try {
      await storage.put(KEY, Buffer.from(toText(this.#memories)))
    } catch (error) {
      const message = `How far HSTS has come could not be stored, and is remembered only until a restart: ${describeError(error)}`
      log.warn('hsts-not-stored', message)
    }
  }
}

/** Why renewals of a site are not healthy, in words. */
export function troubleOf(reports: readonly CertificateReport[], now: number): string | undefined {
  for (const { names, held, attempts, fault } of reports) {
    if (fault !== undefined) return fault
    if (held === undefined) return `there is no certificate for ${names[0]} yet`
    if (held.notAfter <= now) return `the certificate for ${names[0]} has expired`
    if (attempts !== undefined && attempts.failures > 0)
      return `renewing the one for ${names[0]} failed at ${spokenTime(attempts.lastAt)}`
  }
  return undefined
}

/** What is remembered, by the sites' names; undefined if it is damaged. Changes nothing. Throws StorageError. */
export async function recallHsts(storage: StorageReader): Promise<ReadonlyMap<string, HstsMemory> | undefined> {
  const value = await storage.get(KEY)
  if (value === undefined) return new Map()
  try {
    const entries = Object.entries(JSON.parse(value.toString('utf8')) as Record<string, HstsMemory>)
    return entries.every(([, memory]) => isMemory(memory)) ? new Map(entries) : undefined
  } catch {
    return undefined
  }
}

const MODES: ReadonlySet<unknown> = new Set(['on', 'ramp', 'retire', 'off'] satisfies HstsMemory['mode'][])

function isMemory(memory: Partial<HstsMemory> | null): boolean {
  const { mode, step, since, promisedSeconds, held } = memory ?? {}
  const areNumbers = [step, since, promisedSeconds].every((number) => Number.isFinite(number) && number! >= 0)
  return MODES.has(mode) && areNumbers && Number.isInteger(step) && (held === undefined || typeof held === 'string')
}

function toText(memories: ReadonlyMap<string, HstsMemory>): string {
  return `${JSON.stringify(Object.fromEntries(memories), undefined, 1)}\n`
}
