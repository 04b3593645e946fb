import { asSentence, describeError, type Facts } from '../errors.ts'
import type { KeyKind } from '../pki/key-kind.ts'
import type { Clock } from '../system/clock.ts'
import type { Log } from '../telemetry/log.ts'
import { renewalTime } from './plan.ts'
import { factsOfStored, type StoredCertificate } from './record.ts'
import { describePause } from './spoken-pause.ts'
import { spokenDuration, spokenTime } from './spoken-time.ts'
import type { WantedCertificate } from './wanted.ts'

/** How a try ended without a certificate. */
export type Failure = {
  readonly type: 'issue' | 'renew'
  /** What clients get until there is a new one. */
  readonly serving: StoredCertificate | undefined
  readonly reason: string
  /** When it is tried again, or where a person must go first. */
  readonly next: { readonly at: number } | { readonly unpauseUrl: string }
  /** The kinds of key of those of the same names that are not tried before then either. */
  readonly alsoWaiting: readonly KeyKind[]
}

/** What the operator is told of the way to each certificate: one event each, with what will be done next, and when. */
export class Progress {
  readonly #log: Log
  readonly #clock: Clock

  constructor(log: Log, clock: Clock) {
    this.#log = log
    this.#clock = clock
  }

  requested(wanted: WantedCertificate, issuer: string, because: string): void {
    const message = `Ordering ${describe(wanted)} from ${issuer}: ${because}.`
    this.#log.info('certificate-requested', message, factsOf(wanted))
  }

  /** One issuer gave none, and another is asked within the same try. */
  passedOn(wanted: WantedCertificate, issuer: string, error: unknown, next: string): void {
    const message = `${issuer} did not give ${describe(wanted)}: ${asSentence(describeError(error))} Now ${next} is asked.`
    this.#log.warn('certificate-passed-on', message, { ...factsOf(wanted), issuer, next })
  }

  received(wanted: WantedCertificate, stored: StoredCertificate, type: 'issue' | 'renew'): void {
    const { issuer, certificate } = stored
    const [notAfter, renewAt] = [spokenTime(certificate.notAfter), spokenTime(renewalTime(factsOfStored(stored)))]
    const message = `${type === 'issue' ? 'Got' : 'Renewed'} ${describe(wanted)} from ${issuer}: good until ${notAfter}, to be renewed at ${renewAt}.`
    const event = type === 'issue' ? 'certificate-issued' : 'certificate-renewed'
    this.#log.info(event, message, { ...factsOf(wanted), issuer, notAfter, renewAt })
  }

  /** It is there, and the former one serves on for a while. */
  awaitsStaple(wanted: WantedCertificate, until: number): void {
    const message = `The new one is there in place of ${describe(wanted)}, which serves on until the new one has its OCSP staple, but not beyond ${spokenTime(until)}.`
    this.#log.info('certificate-awaits-staple', message, factsOf(wanted))
  }

  /** Its CAs turned out to be out of order, which is told once for all. */
  putOff(wanted: WantedCertificate, reason: string): void {
    this.#log.debug('certificate-put-off', `Put off ${describe(wanted)}: ${asSentence(reason)}`, factsOf(wanted))
  }

  /** Clients then do not insist on a staple, and nothing is less well for it than without having asked. */
  withoutMustStaple(wanted: WantedCertificate, { issuer }: StoredCertificate): void {
    const message = `${issuer} gave ${describe(wanted)} without must-staple, which it was asked for: it does not support that.`
    this.#log.warn('must-staple-left-out', message, factsOf(wanted))
  }

  /** Said once for each issuer. */
  alone(wanted: WantedCertificate, { issuer, certificate }: StoredCertificate): void {
    const message = `${issuer} gave ${describe(wanted)} alone, without a certificate of its issuer (${certificate.issuer}), which is no authority that this machine trusts: clients that do not know it as a root refuse the certificate. It is served all the same. Ask the CA for its intermediates.`
    this.#log.warn('chain-bare', message, { ...factsOf(wanted), issuer })
  }

  /**
   * Nobody gave one. An error if clients suffer from it or a person must act, a warning as long as what serves meanwhile is
   * good.
   */
  failed(wanted: WantedCertificate, failure: Failure): void {
    const { type, serving, reason, next, alsoWaiting } = failure
    const now = this.#clock.now()
    const left = serving === undefined ? 0 : serving.certificate.notAfter - now
    const message = [
      `Could not ${type === 'issue' ? 'get' : 'renew'} ${describe(wanted)}.`,
      asSentence(reason),
      nextTry(wanted, next, now),
      ...(alsoWaiting.length === 0 ? [] : [`So long the ${alsoWaiting.join(' and ')} one is not ordered either.`]),
      meanwhile(serving, left),
    ].join(' ')
    const facts = { ...factsOf(wanted), ...('at' in next ? { nextAt: spokenTime(next.at) } : next) }
    if (left > 0 && 'at' in next) this.#log.warn('certificate-failed', message, facts)
    else this.#log.error('certificate-failed', message, facts)
  }

  /** Some names kept the others from a certificate, which are ordered without them. */
  leftOut(wanted: WantedCertificate, names: readonly { readonly name: string; readonly reason: string }[]): void {
    const reasons = names.map(({ name, reason }) => `${name}: ${reason}`)
    const message = `${capital(describe(wanted))} is ordered without ${names.map(({ name }) => name).join(', ')}, which would keep the others from theirs. ${asSentence(reasons.join('; '))} Asked for again in 100 minutes and then daily; once that is put right, "castellan certs retry" asks at once.`
    this.#log.warn('names-left-out', message, { ...factsOf(wanted), leftOut: names.map(({ name }) => name) })
  }

  /** What is there is all that there can be: a name that was asked for once more is still bad. */
  kept(wanted: WantedCertificate, leftOut: readonly { readonly name: string; readonly reason: string }[]): void {
    const reasons = leftOut.map(({ name, reason }) => `${name}: ${reason}`).join('; ')
    const message = `${capital(describe(wanted))} stays as it is, without ${asSentence(reasons)}`
    this.#log.info('certificate-kept', message, { ...factsOf(wanted), leftOut: leftOut.map(({ name }) => name) })
  }

  takenBack(wanted: WantedCertificate, names: readonly string[]): void {
    const message = `${names.join(', ')} can be had again, and ${names.length === 1 ? 'is' : 'are'} in ${describe(wanted)}.`
    this.#log.info('names-taken-back', message, { ...factsOf(wanted), takenBack: names })
  }

  /** Clients meet it as they should. */
  proven(wanted: WantedCertificate): void {
    this.#log.debug('certificate-proven', `Clients meet ${describe(wanted)} as they should.`, factsOf(wanted))
  }

  /** Nobody could be asked, or nobody whom it is for alone. */
  unproven(wanted: WantedCertificate): void {
    this.#log.debug(
      'certificate-unproven',
      `Whether clients meet ${describe(wanted)} could not be tried.`,
      factsOf(wanted),
    )
  }

  /** There is no other that could be served in its place. */
  wronglyServed(wanted: WantedCertificate, reason: string): void {
    const message = `${asSentence(reason)} It serves all the same, as there is no former one for ${wanted.names.join(', ')} that clients would take.`
    this.#log.error('certificate-wrongly-served', message, factsOf(wanted))
  }

  /** It was put back for what stands in, and is not to serve after a restart either. */
  setAside(wanted: WantedCertificate, whereabouts: string): void {
    const message = `${capital(describe(wanted))} is not served, but what stood in for it. ${whereabouts}`
    this.#log.info('certificate-set-aside', message, factsOf(wanted))
  }

  /** An operator has put it there. */
  imported(wanted: WantedCertificate, { certificate, issuer }: StoredCertificate): void {
    const message = `Took over ${describe(wanted)}: good until ${spokenTime(certificate.notAfter)}, to be renewed by ${issuer}.`
    this.#log.info('certificate-imported', message, factsOf(wanted))
  }

  notStored(wanted: WantedCertificate, error: unknown): void {
    const message = `Could not store ${describe(wanted)}: ${asSentence(describeError(error))} It serves from memory, and is stored as soon as that is possible; a restart before that orders it again.`
    this.#log.error('certificate-not-stored', message, factsOf(wanted))
  }
}

function nextTry(wanted: WantedCertificate, next: Failure['next'], now: number): string {
  if ('at' in next) return `The next try is in ${spokenDuration(next.at - now)}, at ${spokenTime(next.at)}.`
  return `There is no next try, for ${describePause(wanted, next.unpauseUrl)}.`
}

function meanwhile(serving: StoredCertificate | undefined, left: number): string {
  if (serving === undefined) return 'Until then there is none.'
  if (left > 0) return `The former one serves for another ${spokenDuration(left)}.`
  return `The former one has expired ${spokenDuration(-left)} ago, and clients refuse it.`
}

/** More names than a person reads are counted. */
const MAX_DESCRIBED = 5

function describe({ names, keyKind }: WantedCertificate): string {
  const more = names.length > MAX_DESCRIBED ? ` and ${names.length - MAX_DESCRIBED} more` : ''
  return `the ${keyKind} certificate for ${names.slice(0, MAX_DESCRIBED).join(', ')}${more}`
}

function capital(text: string): string {
  return `${text[0]!.toUpperCase()}${text.slice(1)}`
}

function factsOf({ id, names, keyKind }: WantedCertificate): Facts {
  return { certificate: id, names, keyKind }
}
