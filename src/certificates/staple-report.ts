import { asSentence, describeError, type Facts } from '../errors.ts'
import type { Certificate } from '../pki/certificate.ts'
import type { Log } from '../telemetry/log.ts'
import { type Attention, noAttention } from './attention.ts'
import { spokenDuration, spokenTime } from './spoken-time.ts'
import type { StapleAnswer } from './staple-answer.ts'

/** Whether a certificate is the operator's own, who alone can replace it then. */
export type Ownership = 'issued' | 'own'

/** What the operator is told of staples: what cannot be left to itself, and each thing once. */
export class StapleReport {
  readonly #log: Log
  readonly #attention: Attention

  constructor(log: Log, attention: Attention = noAttention) {
    this.#log = log
    this.#attention = attention
  }

  received(certificate: Certificate, { until }: StapleAnswer, isFirst: boolean): void {
    const message = `${isFirst ? 'Got' : 'Renewed'} the OCSP staple of ${describe(certificate)}: good until ${spokenTime(until)}.`
    const facts = { ...factsOf(certificate), until: spokenTime(until) }
    this.#attention.stapled(certificate)
    if (isFirst) this.#log.info('staple-received', message, facts)
    else this.#log.debug('staple-renewed', message, facts)
  }

  /** A warning where clients miss it; as long as there is a good one, whoever looks for it finds it. */
  failed(certificate: Certificate, error: unknown, { isMissed, waitMs }: { isMissed: boolean; waitMs: number }): void {
    const reason = asSentence(describeError(error))
    const next = `It is asked again in ${spokenDuration(waitMs)}.`
    if (!isMissed)
      return this.#log.debug(
        'staple-failed',
        `No news of ${describe(certificate)}: ${reason} ${next}`,
        factsOf(certificate),
      )
    this.#attention.unstapled(certificate, reason)
    const message = `There is no OCSP staple for ${describe(certificate)}: ${reason} ${next} ${withoutStaple(certificate)}`
    this.#log.warn('staple-failed', message, factsOf(certificate))
  }

  ending(certificate: Certificate, { until }: StapleAnswer, now: number, reason: string | undefined): void {
    const why = reason === undefined ? 'the responder has given no newer one' : `the last try failed: ${reason}`
    const message = `The OCSP staple of ${describe(certificate)} ends in ${spokenDuration(until - now)}, at ${spokenTime(until)}, and ${asSentence(why)} It is tried on until then.`
    this.#log.warn('staple-ending', message, { ...factsOf(certificate), until: spokenTime(until) })
  }

  over(certificate: Certificate, { until }: StapleAnswer): void {
    this.#attention.unstapled(certificate, `The last one ended at ${spokenTime(until)}, and there is no newer one.`)
    const message = `The OCSP staple of ${describe(certificate)} ended at ${spokenTime(until)}, and there is no newer one. ${withoutStaple(certificate)}`
    if (certificate.mustStaple) this.#log.error('staple-over', message, factsOf(certificate))
    else this.#log.warn('staple-over', message, factsOf(certificate))
  }

  /** It says that clients must insist on a staple, and there can be none. */
  impossible(certificate: Certificate, why: string): void {
    this.#attention.unstapled(certificate, `It can have none, as ${why}.`)
    const message = `${describe(certificate)} can have no OCSP staple, as ${why}. ${withoutStaple(certificate)}`
    this.#log.error('staple-impossible', message[0]!.toUpperCase() + message.slice(1), factsOf(certificate))
  }

  revoked(certificate: Certificate, when: string, ownership: Ownership): void {
    this.#attention.revoked(certificate, when, ownership)
    const what = `${describe(certificate)} (serial number ${certificate.serial}) was revoked ${when}: clients that look refuse it.`
    const next =
      ownership === 'issued'
        ? 'A new one with a new key takes its place as soon as its CA gives one.'
        : 'It is one of your own files: put a new certificate with a new key in its place.'
    const message = `${what} ${next} If it was not you who revoked it, find out why.`
    this.#log.error('certificate-revoked', message[0]!.toUpperCase() + message.slice(1), factsOf(certificate))
  }

  notStored(certificate: Certificate, error: unknown): void {
    this.#log.debug('staple-not-stored', describeError(error), factsOf(certificate))
  }
}

function withoutStaple({ mustStaple }: Certificate): string {
  return mustStaple
    ? 'It says that clients must insist on one (must-staple): those that do refuse it meanwhile.'
    : 'Clients get it without one.'
}

/** More names than a person reads are counted. */
const MAX_DESCRIBED = 5

function describe({ names, keyKind }: Certificate): string {
  const more = names.length > MAX_DESCRIBED ? ` and ${names.length - MAX_DESCRIBED} more` : ''
  const kind = keyKind === undefined ? '' : `${keyKind} `
  return `the ${kind}certificate for ${names.slice(0, MAX_DESCRIBED).join(', ')}${more}`
}

function factsOf({ names, keyKind, serial, ocspUrl }: Certificate): Facts {
  return { names, keyKind, serial, responder: ocspUrl }
}
