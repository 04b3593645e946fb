import type { Site } from '../config/config.ts'
import { didYouMean } from '../config/suggestion.ts'
import { CastellanError, describeError } from '../errors.ts'
import type { Storage } from '../storage/storage.ts'
import type { Clock } from '../system/clock.ts'
import type { Log } from '../telemetry/log.ts'

/** One value for all sites: there are seldom more than a few. */
const KEY = 'maintenance/sites'

export const maintenanceActions = ['on', 'off', 'hold'] as const

export type MaintenanceAction = (typeof maintenanceActions)[number]

/** Requests wait for so long unless told otherwise, and never longer: browsers and proxies in front give up as well. */
export const HOLD_MS = 10_000
export const MAX_HOLD_MS = 60_000

/** What an operator asks for. */
export type MaintenanceWish = {
  readonly action: MaintenanceAction
  /** How long requests are held, or how long clients are told to stay away. */
  readonly forMs: number | undefined
  /** The text of the page. */
  readonly page: string | undefined
}

/** How it stands with a site that is not open. */
export type MaintenanceReport = {
  readonly site: string
  /** `config`: it is closed there, and opened there. */
  readonly mode: 'on' | 'hold' | 'config'
  readonly since: number | undefined
  /** Until then requests wait; then they are refused. */
  readonly until: number | undefined
}

/** What the workers are told of a site. */
export type ClosedSite = {
  readonly holdMs: number | undefined
  readonly retryAfterSeconds: number | undefined
  readonly page: string | undefined
}

export type MaintenanceChange = { readonly site: string; readonly maintenance: ClosedSite | undefined }

type Closed = {
  readonly since: number
  readonly until: number | undefined
  readonly retryAfterSeconds: number | undefined
  readonly page: string | undefined
}

export type MaintenanceKeeperOptions = {
  readonly sites: readonly Pick<Site, 'name' | 'names' | 'policy'>[]
  readonly storage: Storage
  readonly clock: Pick<Clock, 'now'>
  readonly log: Log
}

/** There is no site of this name, or it is closed by the config, which no command opens. */
export class MaintenanceError extends CastellanError {
  declare readonly code: 'site-unknown' | 'site-closed-by-config'
}

/**
 * Knows which sites an operator has closed by command, also after a restart of the program. What is held is held by the
 * workers that run: a restart ends that, as whatever waited is gone.
 */
export class MaintenanceKeeper {
  readonly #options: MaintenanceKeeperOptions
  readonly #closed: Map<string, Closed>
  #sites: MaintenanceKeeperOptions['sites']

  private constructor(options: MaintenanceKeeperOptions, closed: Map<string, Closed>) {
    this.#options = options
    this.#closed = closed
    this.#sites = options.sites
  }

  /** Another config. What is closed stays closed as long as its site is there. */
  useSites(sites: MaintenanceKeeperOptions['sites']): void {
    this.#sites = sites
  }

  /** Throws StorageError `storage-unreadable`. */
  static async open(options: MaintenanceKeeperOptions): Promise<MaintenanceKeeper> {
    const { storage, sites, log } = options
    const recalled = recall(await storage.get(KEY))
    if (recalled === undefined) {
      const aside = await storage.setAside(KEY)
      log.warn(
        'maintenance-damaged',
        `Which sites were in maintenance is damaged: all are open. It was moved to ${aside}.`,
      )
    }
    const names = new Set(sites.map(({ name }) => name))
    const closed = new Map([...(recalled ?? [])].filter(([name]) => names.has(name)))
    for (const name of closed.keys()) log.warn('maintenance', `${name} is still in maintenance.`, { site: name })
    return new MaintenanceKeeper(options, closed)
  }

  /** What a worker that starts now is told of a site; undefined for one that is open. */
  closed(site: string): ClosedSite | undefined {
    const closed = this.#closed.get(site)
    if (closed === undefined) return undefined
    const { until, retryAfterSeconds, page } = closed
    const holdMs = until === undefined ? undefined : Math.max(0, until - this.#options.clock.now())
    return { holdMs, retryAfterSeconds, page }
  }

  /** All sites that are not open, by command or by the config. */
  report(): MaintenanceReport[] {
    return this.#sites.flatMap(({ name, policy }): MaintenanceReport[] => {
      const closed = this.#closed.get(name)
      if (closed !== undefined) {
        const { since, until } = closed
        return [{ site: name, mode: until === undefined ? 'on' : 'hold', since, until }]
      }
      return policy.maintenance?.isActive ? [{ site: name, mode: 'config', since: undefined, until: undefined }] : []
    })
  }

  /** Takes note of what is asked for the site that has this name, and says what the workers are to be told. Throws MaintenanceError. */
  async change(name: string, { action, forMs, page }: MaintenanceWish): Promise<MaintenanceChange> {
    const { clock, log } = this.#options
    const site = this.#nameOf(name)
    const now = clock.now()
    if (action === 'off') {
      if (!this.#closed.delete(site)) this.#refuseIfClosedByConfig(site)
    } else {
      const until = action === 'hold' ? now + Math.min(forMs ?? HOLD_MS, MAX_HOLD_MS) : undefined
      const retryAfterSeconds = action === 'on' && forMs !== undefined ? Math.ceil(forMs / 1000) : undefined
      this.#closed.set(site, { since: this.#closed.get(site)?.since ?? now, until, retryAfterSeconds, page })
    }
    log.info('maintenance', `Asked by hand for maintenance of ${site}: ${action}.`, { site, action })
    await this.#store()
    return { site, maintenance: this.closed(site) }
  }

  #refuseIfClosedByConfig(site: string): void {
    if (this.report().every((report) => report.site !== site)) return
    const remedy = 'set "active: off" there, and then "castellan reload"'
    const message = `${site} is closed by "maintenance" in the config, which no command opens: ${remedy}.`
    throw new MaintenanceError('site-closed-by-config', message, { site })
  }

  #nameOf(name: string): string {
    const found = this.#sites.find(({ names }) => names.includes(name.toLowerCase()))
    if (found !== undefined) return found.name
    const hint = didYouMean(
      name,
      this.#sites.flatMap(({ names }) => names),
    )
    throw new MaintenanceError('site-unknown', `There is no site ${name}${hint === undefined ? '' : `; ${hint}`}.`)
  }

  /** Worth less than what was asked for: a full disk must not keep a site open. */
  async #store(): Promise<void> {
    const { storage, log } = this.#options
    const lasting = [...this.#closed].filter(([, { until }]) => until === undefined)
    try {
      if (lasting.length === 0) await storage.delete(KEY)
      else await storage.put(KEY, Buffer.from(`${JSON.stringify(Object.fromEntries(lasting), undefined, 1)}\n`))
    } catch (error) {
      const message = `Which sites are in maintenance could not be stored, and is remembered until a restart: ${describeError(error)}`
      log.warn('maintenance-not-stored', message)
    }
  }
}

/** undefined if it is damaged. */
function recall(value: Buffer | undefined): Map<string, Closed> | undefined {
  if (value === undefined) return new Map()
  try {
    const entries = Object.entries(JSON.parse(value.toString('utf8')) as Record<string, Closed>)
    return entries.every(([, closed]) => isClosed(closed)) ? new Map(entries) : undefined
  } catch {
    return undefined
  }
}

function isClosed(closed: Partial<Closed> | null): boolean {
  const { since, retryAfterSeconds = 1, page = '' } = closed ?? {}
  return Number.isFinite(since) && Number.isInteger(retryAfterSeconds) && typeof page === 'string'
}
