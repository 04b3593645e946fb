import { createHash } from 'node:crypto'
import type {
  Attention,
  FailedTry,
  HeldBack,
  Limited,
  OutOfOrder,
  OwnFault,
  OwnPair,
  Standing,
} from '../certificates/attention.ts'
import { IssuanceError } from '../certificates/issuance.ts'
import { isOnDemandId } from '../certificates/place.ts'
import type { StoredCertificate } from '../certificates/record.ts'
import type { Ownership } from '../certificates/staple-report.ts'
import type { WantedCertificate } from '../certificates/wanted.ts'
import { describeError, errorCode } from '../errors.ts'
import type { Certificate } from '../pki/certificate.ts'
import { segmentFor } from '../storage/segment.ts'
import type { Clock } from '../system/clock.ts'
import { WHOLE } from './board.ts'
import type { Notices } from './notices.ts'
import type { Trouble } from './trouble.ts'

type Told = Pick<Notices, 'raise' | 'withdraw' | 'drop' | 'open' | 'partsOf' | 'troubleOf'>

/** What concerns an issuer or this machine and not the names: one thing, however many certificates wait for it. */
type SharedKind = FailureKind | 'issuer-out-of-order' | 'renewals-limited'

/** Those that are over as soon as anything comes of an order. */
type FailureKind = 'clock-wrong' | 'terms-not-accepted' | 'issuer-refuses'

const FAILURES: readonly FailureKind[] = ['clock-wrong', 'terms-not-accepted', 'issuer-refuses']
const SHARED: readonly SharedKind[] = [...FAILURES, 'issuer-out-of-order', 'renewals-limited']

/** By the code of the error, or the type of the CA's problem (RFC 8555 §6.7). */
const SHARED_CODES: Readonly<Record<string, FailureKind>> = {
  'clock-wrong': 'clock-wrong',
  'terms-not-accepted': 'terms-not-accepted',
  userActionRequired: 'terms-not-accepted',
  'external-account-required': 'issuer-refuses',
  'external-account-invalid': 'issuer-refuses',
  externalAccountRequired: 'issuer-refuses',
  'account-unusable': 'issuer-refuses',
  'profile-not-offered': 'issuer-refuses',
}

/**
 * From which try in a row on it is told: what may pass by itself is given a while, and more of it as long as clients have a
 * certificate that is good.
 */
const TELL_FROM = { serving: { lasting: 2, passing: 4 }, bare: { lasting: 1, passing: 2 } }
/** From when on an outage is told: at a failure after the first, and not before this while what serves is good for long. */
const OUTAGE_FROM_MS = 90 * 60 * 1000
/** Of a lifetime: with less than this left, every failure is told. */
const PRESSING = 1 / 6

/** Turns what the certificates tell into troubles, and those that are over into none. */
export class CertificateNotices implements Attention {
  readonly #notices: Told
  readonly #clock: Clock

  constructor(notices: Told, clock: Clock) {
    this.#notices = notices
    this.#clock = clock
  }

  /** What was solved, or removed from the config, while the program was not there to see it. */
  began(standing: () => Standing): void {
    if (this.#notices.open.length === 0) return
    const { wanted, fingerprints, ownFiles } = standing()
    const unsettled = wanted.filter(({ isSettled }) => !isSettled)
    const known = keysOf(wanted, ownFiles, fingerprints)
    const open = keysOf(unsettled, ownFiles, fingerprints)
    for (const key of this.#notices.open) {
      if (key.startsWith('storage/')) continue
      for (const part of this.#notices.partsOf(key)) {
        const whole = partKey(key, part)
        if (!known.has(whole)) this.#notices.drop(key, part)
        else if (!open.has(whole)) this.#notices.withdraw(key, part)
      }
    }
  }

  /** Names on demand come and go with strangers: of theirs it is told only what concerns an issuer or this machine. */
  failed(wanted: WantedCertificate, failure: FailedTry): void {
    this.#withdrawShared(failure.error)
    if (!this.#isToldOf(failure)) return
    const shared = sharedOf(failure.error)
    const trouble = this.#troubleOf(wanted, failure)
    if (shared !== undefined) this.#raiseShared(shared.kind, shared.issuer, trouble)
    else if (!isOnDemandId(wanted.id))
      for (const each of [wanted, ...failure.siblings]) this.#notices.raise(certificateKey(wanted), trouble, each.id)
  }

  obtained(wanted: WantedCertificate, issuer: string): void {
    this.#notices.withdraw(certificateKey(wanted), wanted.id)
    for (const kind of FAILURES) for (const each of wanted.issuers) this.#notices.withdraw(sharedKey(kind, each))
    // Another one that is out of order is no less so.
    this.#notices.withdraw(sharedKey('issuer-out-of-order', issuer))
  }

  settled(wanted: WantedCertificate): void {
    this.#notices.withdraw(certificateKey(wanted), wanted.id)
  }

  outOfOrder(outage: OutOfOrder, heldBack: () => readonly HeldBack[]): void {
    const { issuer, since, reason, failures, error, probeAt: nextAt } = outage
    if (failures < 2) return
    const key = sharedKey('issuer-out-of-order', issuer)
    const isTold = this.#notices.troubleOf(key) !== undefined
    const isOld = this.#clock.now() - since >= OUTAGE_FROM_MS
    const [first] = heldBack()
      .filter(({ serving }) => isTold || isOld || this.#isPressing(serving))
      .toSorted((a, b) => endOfServing(a) - endOfServing(b))
    const about = { kind: 'issuer-out-of-order', subject: issuer, said: reason, cause: causeOf(error), nextAt } as const
    if (first !== undefined) this.#notices.raise(key, { ...about, ...this.#outageOf(first) })
    // Others have given what waited: no end is near any more.
    else if (isTold) this.#notices.raise(key, { ...about, severity: 'warning', names: [] })
  }

  /** Worse as soon as what serves is about to end, and not only then. */
  #outageOf({ wanted, serving }: HeldBack) {
    const standing = this.#standingOf(wanted, serving)
    return this.#isPressing(serving) ? ({ ...standing, severity: 'error' } as const) : standing
  }

  limited({ issuer, wanted, serving, wait, count }: Limited): void {
    const others = count === 1 ? '' : `, and ${count - 1} other renewals wait too`
    this.#notices.raise(sharedKey('renewals-limited', issuer), {
      ...this.#standingOf(wanted, serving),
      ...{ kind: 'renewals-limited', subject: issuer, nextAt: wait.at },
      said: `What was spent there of its rate limits would have it refuse an order: ${wait.limit}${others}`,
    })
  }

  unlimited(issuer: string): void {
    this.#notices.withdraw(sharedKey('renewals-limited', issuer))
  }

  answersAgain(issuer: string): void {
    this.#notices.withdraw(sharedKey('issuer-out-of-order', issuer))
  }

  revoked({ fingerprint, names, notAfter, serial }: Certificate, when: string, ownership: Ownership): void {
    const said = `The OCSP responder of its CA says that the certificate with the serial number ${serial} was revoked ${when}.`
    const about = { kind: 'certificate-revoked', severity: 'error', names, said, cause: ownership } as const
    // Past its end nobody takes it anyhow.
    if (notAfter > this.#clock.now()) this.#notices.raise(revokedKey(fingerprint), about)
  }

  unstapled({ fingerprint, names, mustStaple }: Certificate, why: string): void {
    if (!mustStaple) return
    this.#notices.raise(stapleKey(fingerprint), { kind: 'staple-missing', severity: 'error', names, said: why })
  }

  stapled({ fingerprint }: Certificate): void {
    this.#notices.withdraw(stapleKey(fingerprint))
  }

  dropped(fingerprint: string): void {
    this.#notices.withdraw(revokedKey(fingerprint))
    this.#notices.withdraw(stapleKey(fingerprint))
  }

  ownFiles({ site, names, certificate }: OwnPair, fault: OwnFault | undefined): void {
    // Said of thousands at a start.
    if (fault === undefined && this.#notices.open.length === 0) return
    const key = ownKey(certificate)
    const about = { names, subject: certificate, site }
    const now = this.#clock.now()
    const severityUntil = (end: number | undefined) => (end !== undefined && end > now ? 'warning' : 'error')
    switch (fault?.type) {
      case undefined:
        this.#notices.withdraw(key)
        break
      case 'unusable': {
        const { reason: said, servingUntil: expiresAt } = fault
        const severity = severityUntil(expiresAt)
        this.#notices.raise(key, { ...about, kind: 'own-file-unusable', severity, said, expiresAt })
        break
      }
      case 'ending': {
        const { notAfter: expiresAt } = fault
        const said = `The certificate itself says that it is good until ${new Date(expiresAt).toISOString()}.`
        this.#notices.raise(key, {
          ...about,
          kind: 'own-file-ending',
          severity: severityUntil(expiresAt),
          said,
          expiresAt,
        })
        break
      }
      case 'lacks-names': {
        const said = `${site} is served with a certificate that does not have all of its names.`
        this.#notices.raise(key, {
          ...about,
          names: fault.missing,
          kind: 'own-file-lacks-names',
          severity: 'error',
          said,
        })
        break
      }
      default:
        fault satisfies never
    }
  }

  /** Of all the certificates that wait for it, it is told of the one that suffers first. */
  #raiseShared(kind: FailureKind, issuer: string, trouble: Trouble): void {
    const key = sharedKey(kind, issuer)
    const before = this.#notices.troubleOf(key)
    const suffersLater = before !== undefined && endOf(before) <= endOf(trouble)
    this.#notices.raise(key, suffersLater ? before : { ...trouble, kind, subject: issuer })
  }

  /** Whoever now refuses for another reason has had its terms accepted, and finds the clock right. */
  #withdrawShared(error: unknown): void {
    const [first] = answersOf(error)
    const kind = SHARED_CODES[causeOf(first?.error) ?? '']
    if (first === undefined || kind !== undefined || isPassing(first.error)) return
    for (const each of [...FAILURES, 'issuer-out-of-order'] as const)
      this.#notices.withdraw(sharedKey(each, first.issuer))
  }

  #isToldOf({ error, count, serving, next }: FailedTry): boolean {
    const kind = isPassing(error) ? 'passing' : 'lasting'
    const isServed = serving !== undefined && serving.certificate.notAfter > this.#clock.now()
    if ('unpauseUrl' in next) return true
    if (!isServed) return count >= TELL_FROM.bare[kind]
    return count >= TELL_FROM.serving[kind] || this.#isPressing(serving)
  }

  /** Clients have nothing that is good, or will soon have nothing. */
  #isPressing(serving: StoredCertificate | undefined): boolean {
    if (serving === undefined) return true
    const { notBefore, notAfter } = serving.certificate
    return notAfter - this.#clock.now() < (notAfter - notBefore) * PRESSING
  }

  #troubleOf(wanted: WantedCertificate, { error, serving, next }: FailedTry): Trouble {
    return {
      ...('unpauseUrl' in next
        ? { kind: 'certificate-paused', unpauseUrl: next.unpauseUrl }
        : { kind: 'certificate-failed', nextAt: Number.isFinite(next.at) ? next.at : undefined }),
      ...this.#standingOf(wanted, serving),
      said: describeError(error),
      cause: causeOf(answersOf(error)[0]?.error ?? error),
    }
  }

  #standingOf({ names, issuers, site }: WantedCertificate, serving: StoredCertificate | undefined) {
    const expiresAt = serving?.certificate.notAfter
    const severity = expiresAt !== undefined && expiresAt > this.#clock.now() ? 'warning' : 'error'
    return { severity, names, issuers, site, expiresAt } as const
  }
}

function endOfServing({ serving }: HeldBack): number {
  return serving?.certificate.notAfter ?? 0
}

/** Until when clients have what is good; those that have nothing suffer already. */
function endOf({ expiresAt = 0 }: Trouble): number {
  return expiresAt
}

/** Every part of a thing that these can be. */
function keysOf(
  wanted: Standing['wanted'],
  ownFiles: ReadonlySet<string>,
  fingerprints: ReadonlySet<string>,
): ReadonlySet<string> {
  const certificates = wanted.map((each) => each.wanted)
  const issuers = new Set(certificates.flatMap((each) => each.issuers))
  const wholes = [
    ...SHARED.flatMap((kind) => [...issuers].map((issuer) => sharedKey(kind, issuer))),
    ...[...fingerprints].flatMap((fingerprint) => [revokedKey(fingerprint), stapleKey(fingerprint)]),
    ...[...ownFiles].map(ownKey),
  ]
  return new Set([
    ...certificates.map((each) => partKey(certificateKey(each), each.id)),
    ...wholes.map((key) => partKey(key, WHOLE)),
  ])
}

function partKey(key: string, part: string): string {
  return `${key} ${part}`
}

function certificateKey({ id, keyKind }: WantedCertificate): string {
  return `certificate/${id.slice(0, -keyKind.length - 1)}`
}

function sharedKey(kind: SharedKind, issuer: string): string {
  return `${kind}/${segmentFor(issuer)}`
}

function revokedKey(fingerprint: string): string {
  return `revoked/${fingerprint}`
}

function stapleKey(fingerprint: string): string {
  return `staple/${fingerprint}`
}

/** Paths may be longer than a segment, and have other characters. */
function ownKey(path: string): string {
  return `own-file/${createHash('sha256').update(path).digest('hex').slice(0, 32)}`
}

/** What issuers said that are not out of order. */
function answersOf(error: unknown): IssuanceError['failures'] {
  return error instanceof IssuanceError ? error.failures.filter(({ isOutage }) => !isOutage) : []
}

/** If all issuers failed for one and the same reason that is not about the names; by the name of the first. */
function sharedOf(error: unknown): { readonly kind: FailureKind; readonly issuer: string } | undefined {
  const answers = answersOf(error)
  const [kind, ...others] = new Set(answers.map((answer) => SHARED_CODES[causeOf(answer.error) ?? '']))
  return kind === undefined || others.length > 0 ? undefined : { kind, issuer: answers[0]!.issuer }
}

/** Whether it may well pass by itself: the network, or a CA that is out. */
function isPassing(error: unknown): boolean {
  if (error instanceof IssuanceError) return answersOf(error).every((answer) => isPassing(answer.error))
  return error instanceof Error && 'transient' in error && error.transient === true
}

/** The type of the CA's problem, where it gave one: it says more than that there was one. */
function causeOf(error: unknown): string | undefined {
  const code = errorCode(error)
  const type = code === 'acme-problem' && error instanceof Error && 'facts' in error ? error.facts : undefined
  return typeof type === 'object' && type !== null && 'type' in type ? String(type.type) : code
}
