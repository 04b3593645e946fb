import { spokenDuration, spokenTime } from '../certificates/spoken-time.ts'
import type { HstsPolicy } from '../config/config.ts'

/** What is remembered of a site's HSTS. Times in ms since 1970. */
export type HstsMemory = {
  /** `off`: browsers may still remember what they were told before. */
  readonly mode: HstsPolicy['mode'] | 'off'
  /** Of a ramp, from 0. */
  readonly step: number
  /** How long it has been in this mode, and of a ramp, at this step without trouble. */
  readonly since: number
  /** The longest max-age that browsers were told and may not have forgotten yet, in seconds. */
  readonly promisedSeconds: number
  /** What has held the ramp up since its last look, in words. */
  readonly held?: string | undefined
}

/** What an operator should hear of it. */
export type HstsEvent = { readonly level: 'info' | 'warn'; readonly message: string }

const SECOND_MS = 1000
const DAY_SECONDS = 24 * 60 * 60
/** Let's Encrypt's Integration Guide: start with a short max-age, and lengthen it while all goes well. */
const SHORT_STEPS_SECONDS = [5 * 60, DAY_SECONDS]
/** How long a ramp stays at each of these: a day, in which a mistake shows, and a week, in which most visitors come. */
const STAY_MS = [DAY_SECONDS * SECOND_MS, 7 * DAY_SECONDS * SECOND_MS]

/** The max-ages of a ramp, in seconds: 5 minutes, a day, and what the policy says. */
export function stepsOf({ maxAgeSeconds }: HstsPolicy): readonly number[] {
  return [...SHORT_STEPS_SECONDS.filter((seconds) => seconds < maxAgeSeconds), maxAgeSeconds]
}

/** The value of Strict-Transport-Security (RFC 6797 §6.1). Browsers' lists are asked for at the end of a ramp only. */
export function hstsField(policy: HstsPolicy, memory: HstsMemory | undefined): string {
  const { includeSubdomains, preload, mode } = policy
  const steps = stepsOf(policy)
  const step = mode === 'ramp' ? Math.min(memory?.step ?? 0, steps.length - 1) : steps.length - 1
  const isLast = step === steps.length - 1
  return `max-age=${steps[step]}${includeSubdomains ? '; includeSubDomains' : ''}${preload && isLast ? '; preload' : ''}`
}

/**
 * What is remembered of a site from now on, and what there is to say. Depends on nothing but what it is given.
 *
 * @param policy undefined where the config has none for the site.
 * @param trouble why its certificates are not well, in words; a ramp then stays where it is.
 */
export function advance(
  name: string,
  policy: HstsPolicy | undefined,
  memory: HstsMemory | undefined,
  trouble: string | undefined,
  now: number,
): { readonly memory: HstsMemory | undefined; readonly event?: HstsEvent } {
  const mode = policy?.mode ?? 'off'
  const begun = memory?.mode === mode ? memory : begin(mode, policy, memory, now)
  if (begun === undefined) return { memory: undefined }
  if (policy === undefined) return isForgotten(begun, now) ? { memory: undefined } : { memory: begun }
  const kept = { ...begun, promisedSeconds: Math.max(begun.promisedSeconds, toldSeconds(policy, begun)) }
  const isNew = kept.mode !== memory?.mode
  if (mode === 'ramp') return climb(name, policy, kept, isNew, trouble, now)
  return isNew && mode === 'retire' ? { memory: kept, event: said(name, policy, kept, now) } : { memory: kept }
}

/** Whoever turns HSTS off, or names no such site any more, has not made browsers forget it. */
function begin(
  mode: HstsMemory['mode'],
  policy: HstsPolicy | undefined,
  memory: HstsMemory | undefined,
  now: number,
): HstsMemory | undefined {
  const isEnd = mode === 'off' || mode === 'retire'
  if (mode === 'off' && memory === undefined) return undefined
  // What an earlier version, or another program, has told is not known: as long as the guide has it.
  const promisedSeconds = memory?.promisedSeconds ?? (mode === 'retire' ? UNKNOWN_PROMISE_SECONDS : 0)
  const hasEnded = memory?.mode === 'off' || memory?.mode === 'retire'
  const since = isEnd && hasEnded ? memory.since : now
  const told = policy === undefined ? 0 : toldSeconds(policy, undefined)
  return { mode, step: 0, since, promisedSeconds: Math.max(promisedSeconds, told) }
}

const UNKNOWN_PROMISE_SECONDS = 60 * DAY_SECONDS

function toldSeconds(policy: HstsPolicy, memory: HstsMemory | undefined): number {
  const steps = stepsOf(policy)
  return policy.mode === 'ramp' ? (steps[memory?.step ?? 0] ?? policy.maxAgeSeconds) : policy.maxAgeSeconds
}

function isForgotten({ since, promisedSeconds }: HstsMemory, now: number): boolean {
  return since + promisedSeconds * SECOND_MS <= now
}

function climb(
  name: string,
  policy: HstsPolicy,
  memory: HstsMemory,
  isNew: boolean,
  trouble: string | undefined,
  now: number,
): { readonly memory: HstsMemory; readonly event?: HstsEvent } {
  const { step, since, held } = memory
  const isTop = step >= stepsOf(policy).length - 1
  if (isTop) return { memory: { ...memory, held: undefined } }
  const tell = (next: HstsMemory) => ({ memory: next, event: said(name, policy, next, now) })
  // A time that lies ahead is of a clock that was.
  const start = Math.min(since, now)
  if (trouble !== undefined) {
    const next = { ...memory, since: start, held: trouble }
    return held === undefined ? tell(next) : { memory: next }
  }
  if (held !== undefined) return tell({ ...memory, since: now, held: undefined })
  if (now - start < STAY_MS[step]!) return isNew ? tell(memory) : { memory: { ...memory, since: start } }
  const next = { ...memory, step: step + 1, since: now }
  return tell({ ...next, promisedSeconds: Math.max(next.promisedSeconds, toldSeconds(policy, next)) })
}

function said(name: string, policy: HstsPolicy, memory: HstsMemory, now: number): HstsEvent {
  const level = memory.held === undefined ? 'info' : 'warn'
  return { level, message: `HSTS of ${name} ${describeHsts(policy, memory, now)}.` }
}

/** How it stands with a site's HSTS, to follow its name: `is on …`. */
export function describeHsts(policy: HstsPolicy, memory: HstsMemory | undefined, now: number): string {
  const age = spokenDuration(policy.maxAgeSeconds * SECOND_MS)
  switch (policy.mode) {
    case 'on':
      return `is on, with a max-age of ${age}`
    case 'retire':
      return describeRetirement(memory, now)
    case 'ramp':
      return describeRamp(policy, memory, age)
    default:
      return policy.mode satisfies never
  }
}

function describeRetirement(memory: HstsMemory | undefined, now: number): string {
  if (memory?.mode !== 'retire') return 'is to be retired as soon as the program runs'
  const safeAt = memory.since + memory.promisedSeconds * SECOND_MS
  if (safeAt <= now) return 'is retired: no browser insists on HTTPS any more'
  return (
    `is being retired: browsers that come are told to forget it, and those that do not come have forgotten it at ` +
    `${spokenTime(safeAt)}. Leave HTTPS up until then`
  )
}

function describeRamp(policy: HstsPolicy, memory: HstsMemory | undefined, age: string): string {
  const steps = stepsOf(policy)
  const { step, since, held } = memory?.mode === 'ramp' ? memory : { step: 0, since: undefined, held: undefined }
  if (step >= steps.length - 1) return `is at the top of its ramp, with a max-age of ${age}`
  const at = `is on a ramp to ${age}, with a max-age of ${spokenDuration(steps[step]! * SECOND_MS)}`
  if (held !== undefined) return `${at}, and is held there: ${held}`
  const next = spokenDuration(steps[step + 1]! * SECOND_MS)
  return since === undefined
    ? at
    : `${at} until ${spokenTime(since + STAY_MS[step]!)}, and then of ${next} if all is well`
}
