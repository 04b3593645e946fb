import type { HealthSnapshot, PeerSnapshot } from '../../edge/snapshot.ts'
import { OUTAGE_MS } from '../../edge/upstream/balance/restart-line.ts'
import { formatUpstream } from '../../edge/upstream/upstream-name.ts'
import type { Clock } from '../../system/clock.ts'
import { pause } from '../../system/clock.ts'
import { jittered, type Random } from '../../system/random.ts'
import type { Log } from '../../telemetry/log.ts'
import type { CheckHealth } from './health-check.ts'
import { HealthState } from './health-state.ts'

/** What is checked, by the id that the workers know it by. */
export type Checked = { readonly peer: PeerSnapshot; readonly health: HealthSnapshot }

export type HealthChecksOptions = {
  readonly check: CheckHealth
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** A target is up or down since now. */
  readonly onChange: () => void
}

/** So that not all are asked at the same moment, at the start and later on. */
const FIRST_MS = 500
const JITTER = 0.1
/** From one check to the next while a target has just gone down and nothing else was found since: it may be a restart. */
const SOON_MS = 500
/** After a check that took as long as the time between two. */
const LEAST_PAUSE_MS = 50

/** What is known of one. Times in ms since 1970. */
export type CheckStanding = Finding & { readonly url: string; readonly path: string }

/** What checks have found. */
export type Finding = {
  readonly isUp: boolean
  /** undefined: it has been so from the start. */
  readonly since: number | undefined
  /** Why it is down. */
  readonly why: string | undefined
}

/** Asks each target again and again whether it is well, once for all workers. */
export class HealthChecks {
  readonly #options: HealthChecksOptions
  readonly #running = new Map<string, RunningCheck>()
  /** Of those who checked before, by what was asked. */
  #inherited: ReadonlyMap<string, Finding> = new Map()

  constructor(options: HealthChecksOptions) {
    this.#options = options
  }

  /** Takes over what others have found, for the next that are to be checked. */
  inherit(findings: Iterable<readonly [question: string, finding: Finding]>): void {
    this.#inherited = new Map(findings)
  }

  /**
   * From now on these are checked, by id; what was checked before goes on, and what is asked the same as before, only at
   * another pace, begins with what was found. Others begin as up.
   */
  use(wanted: ReadonlyMap<string, Checked>): void {
    const findings = new Map([...this.#inherited, ...this.findings])
    this.#inherited = new Map()
    for (const [id, check] of this.#running)
      if (!wanted.has(id)) {
        check.stop()
        this.#running.delete(id)
      }
    for (const [id, checked] of wanted) {
      if (this.#running.has(id)) continue
      const check = new RunningCheck(checked, findings.get(questionOf(checked)), this.#options)
      this.#running.set(id, check)
      void check.run()
    }
  }

  stop(): void {
    this.use(new Map())
  }

  /** What was found, by what was asked. */
  get findings(): [question: string, finding: Finding][] {
    return [...this.#running.values()].map((check) => [check.question, check.finding])
  }

  /** The ids of those that are down. */
  get down(): string[] {
    return [...this.#running].flatMap(([id, { standing }]) => (standing.isUp ? [] : [id]))
  }

  get standings(): CheckStanding[] {
    return [...this.#running.values()].map(({ standing }) => standing)
  }
}

class RunningCheck {
  readonly #checked: Checked
  readonly #options: HealthChecksOptions
  readonly #state: HealthState
  readonly #stopping = new AbortController()
  #since: number | undefined
  #why: string | undefined

  constructor(checked: Checked, found: Finding | undefined, options: HealthChecksOptions) {
    this.#checked = checked
    this.#options = options
    this.#state = new HealthState(checked.health, found?.isUp)
    this.#since = found?.since
    this.#why = found?.why
  }

  get question(): string {
    return questionOf(this.#checked)
  }

  get finding(): Finding {
    return { isUp: this.#state.isUp, since: this.#since, why: this.#why }
  }

  get standing(): CheckStanding {
    const { peer, health } = this.#checked
    return { url: formatUpstream(peer.address), path: health.path, ...this.finding }
  }

  async run(): Promise<void> {
    const { clock, random, check } = this.#options
    const { peer, health } = this.#checked
    const { signal } = this.#stopping
    await pause(clock, random() * Math.min(FIRST_MS, health.everyMs), signal)
    while (!signal.aborted) {
      const startedAt = clock.now()
      const why = await check(peer, health, signal)
      if (signal.aborted) return
      if (this.#state.note(why === undefined)) this.#changed(why)
      // From start to start: one that hangs is asked as often as others.
      const leftMs = jittered(this.#everyMs(why), JITTER, random) - (clock.now() - startedAt)
      await pause(clock, Math.max(leftMs, LEAST_PAUSE_MS), signal)
    }
  }

  /** Up to the next check, after one that has found this. */
  #everyMs(why: string | undefined): number {
    const { everyMs } = this.#checked.health
    const downMs = this.#options.clock.now() - (this.#since ?? 0)
    const hasJustGone = !this.#state.isUp && why !== undefined && downMs < OUTAGE_MS
    return hasJustGone ? Math.min(everyMs, SOON_MS) : everyMs
  }

  stop(): void {
    this.#stopping.abort()
  }

  #changed(why: string | undefined): void {
    const { clock, log, onChange } = this.#options
    const { path, unhealthyAfter } = this.#checked.health
    this.#since = clock.now()
    this.#why = why
    const { url } = this.standing
    if (why === undefined) log.info('upstream-up', `${url} is up again, as its checks say.`, { upstream: url, path })
    else {
      const checks = unhealthyAfter === 1 ? 'a check' : `${unhealthyAfter} checks in a row`
      const message = `${url} is down, and gets no requests until it is well again: ${checks} failed. ${why}`
      log.warn('upstream-down', message, { upstream: url, path, cause: why })
    }
    onChange()
  }
}

/** What is asked of whom, at whatever pace, and however many answers it takes to believe it. */
function questionOf({ peer: { address, tls, proxyProtocol }, health: { path, host, status } }: Checked): string {
  return JSON.stringify([address, tls, proxyProtocol, path, host, status])
}
