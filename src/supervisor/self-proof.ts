import { isIP, type NetConnectOpts } from 'node:net'
import { type Expected, ProofError, type Prove } from '../certificates/proof.ts'
import { AddressSet } from '../edge/address-set.ts'
import type { Certificate } from '../pki/certificate.ts'
import type { Clock } from '../system/clock.ts'
import { abortable, withDeadline } from '../system/deadline.ts'
import { type Meeting, meet, type Question, type Shown } from './own-client.ts'

export type SelfProofOptions = {
  /** Where HTTPS is served: the first at which somebody answers is asked. */
  readonly targets: readonly NetConnectOpts[]
  /** Of the config. */
  readonly proxyProtocolFrom: readonly string[]
  /** Resolves when the workers accept connections. They have been sent what they are to serve now. */
  readonly ready: () => Promise<unknown>
  readonly clock: Clock
  /** Whether clients that speak no more than TLS 1.2 may come for a name. */
  readonly takesTls12: (name: string) => boolean
}

/** For one connection on this machine, busy as it may be. */
const MEETING_MS = 5_000
/** For the workers to hear of a certificate: longer than anything but a machine that stands still. */
const PATIENCE_MS = 15_000
const RETRY_MS = 50
/** Of a certificate with a hundred names, this many tell as much as all. */
const MAX_NAMES = 10
/** What stands for `*`: a wildcard is asked for by one of the names that it covers. */
const ANY_LABEL = 'castellan-proof'

/**
 * Asks our own listener as clients do that verify one kind of key alone, in TLS 1.3 and 1.2, and compares what they meet:
 * the certificate and so its key, the chain, and the staple or that there is none. Where nobody can be reached nothing is
 * proven, and nothing is wrong.
 */
export function createSelfProof(options: SelfProofOptions): Prove {
  const proxies = new AddressSet(options.proxyProtocolFrom)
  return async (expected, signal) => {
    const { keyKind } = expected.chain[0]
    if (keyKind === undefined) return 'unproven'
    await abortable(options.ready(), signal)
    const names = expected.names.slice(0, MAX_NAMES).map((name) => name.replace(/^\*/, ANY_LABEL))
    const questions = names.map((name): Question => ({ name, version: 'TLSv1.3', keyKind }))
    if (options.takesTls12(names[0]!)) questions.push({ ...questions[0]!, version: 'TLSv1.2' })
    let proven = 0
    for (const question of questions) if (await isMet(question, expected, { ...options, proxies }, signal)) proven++
    return proven === questions.length ? 'proven' : 'unproven'
  }
}

type Surroundings = Pick<SelfProofOptions, 'targets' | 'clock'> & { readonly proxies: AddressSet }

/**
 * Whether what should be met is. Who still shows something else, or another staple, may not have heard yet, and is asked
 * again for a while.
 */
async function isMet(
  question: Question,
  expected: Expected,
  surroundings: Surroundings,
  signal: AbortSignal,
): Promise<boolean> {
  const { clock } = surroundings
  const giveUp = clock.now() + PATIENCE_MS
  for (;;) {
    const meeting = await reach(question, surroundings, signal)
    if (meeting.type === 'unreached') return false
    if (meeting.type === 'shown') {
      const { shown } = meeting
      if (isIts(shown, expected)) {
        checkChain(question, shown, expected)
        if (shown.staple === expected.staple()) return true
      }
      // A client that can verify both is shown the one that costs less, as it should be.
      if (expected.siblings.includes(shown.chain[0]!)) return false
    }
    if (clock.now() > giveUp) throw wrong(question, otherThing(meeting, expected))
    await clock.sleep(RETRY_MS, signal)
  }
}

/** What the first listener says at which there is one. */
async function reach(
  question: Question,
  { targets, clock, proxies }: Surroundings,
  signal: AbortSignal,
): Promise<Meeting> {
  let meeting: Meeting = { type: 'unreached', reason: 'there is no listener to ask' }
  for (const target of targetsFor(question, targets, proxies)) {
    const expired = (): Error => new Error(`there was no end of it within ${MEETING_MS / 1000} seconds`)
    const deadline = { clock, ms: MEETING_MS, signal, expired }
    meeting = await withDeadline(deadline, (inTime) => meet(question, target, proxies, inTime)).catch((error) => {
      signal.throwIfAborted()
      return { type: 'refused', reason: String(error.message) } as const
    })
    if (meeting.type !== 'unreached') return meeting
  }
  return meeting
}

/**
 * A client that names no server is served by the address to which it connects, or to which a proxy says that it did. The
 * former need not be one of this machine's.
 */
function targetsFor({ name }: Question, targets: readonly NetConnectOpts[], proxies: AddressSet): NetConnectOpts[] {
  if (isIP(name) === 0) return [...targets]
  return targets.flatMap((target): NetConnectOpts[] => {
    if (!('port' in target)) return proxies.has('') ? [target] : []
    return [proxies.has(target.host ?? '') ? target : { ...target, host: name }]
  })
}

function isIts({ chain }: Shown, expected: Expected): boolean {
  return chain[0] === expected.chain[0].fingerprint
}

/** Throws ProofError. */
function checkChain(question: Question, { chain }: Shown, expected: Expected): void {
  const wanted = expected.chain.map(({ fingerprint }) => fingerprint)
  // Node completes what it is shown by a root that this machine trusts: that one was not sent.
  const sent = chain.length > wanted.length ? chain.slice(0, -1) : chain
  const stranger = sent.find((fingerprint) => !wanted.includes(fingerprint))
  if (stranger !== undefined) throw wrong(question, 'a chain with a certificate in it that does not belong there')
  if (wanted.length > 1 && chain[1] !== wanted[1]) throw wrong(question, 'it without the certificate that signed it')
}

function otherThing(meeting: Meeting, expected: Expected): string {
  if (meeting.type !== 'shown') return `no certificate at all: ${meeting.reason}`
  const { chain, names, staple } = meeting.shown
  if (isIts(meeting.shown, expected)) {
    if (expected.staple() === undefined) return 'it with a staple, although there is none for it'
    return staple === undefined ? 'it without its staple' : 'it with the staple of another one'
  }
  const { former } = expected
  return isSame(former, chain[0]) ? 'the former one still' : `another one, for ${names}`
}

function isSame(certificate: Pick<Certificate, 'fingerprint'> | undefined, fingerprint: string | undefined): boolean {
  return certificate !== undefined && certificate.fingerprint === fingerprint
}

function wrong({ name, version, keyKind }: Question, met: string): ProofError {
  const client = `a client that verifies ${keyKind} alone and asks for ${name} by ${version.replace('v', ' ')}`
  return new ProofError('proof-failed', `The new certificate is not served as it should be: ${client} meets ${met}.`, {
    name,
    version,
    keyKind,
  })
}
