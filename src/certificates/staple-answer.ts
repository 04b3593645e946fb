import type { Certificate } from '../pki/certificate.ts'
import { CLOCK_TOLERANCE_MS, type OcspAnswer, readOcspResponse } from '../pki/ocsp-response.ts'
import type { Storage, StorageReader } from '../storage/storage.ts'
import { jittered, type Random } from '../system/random.ts'

/** A verified response, and when it came. Times in ms since 1970. */
export type StapleAnswer = OcspAnswer & {
  readonly response: Buffer
  readonly receivedAt: number
}

/** A certificate with the one that it is signed with. */
export type Certified = { readonly certificate: Certificate; readonly issuer: Certificate }

const SECOND_MS = 1000
const MINUTE_MS = 60 * SECOND_MS
const HOUR_MS = 60 * MINUTE_MS
/** After failures in a row. */
const LADDER_MS = [MINUTE_MS, 10 * MINUTE_MS, HOUR_MS]
/** Of each wait, up or down: responders have many clients, and we many certificates. */
const JITTER = 0.1
/** Of the time from thisUpdate to its end: when there is news is for its CA to say, and none waits until then. */
const REFRESH_AT = 1 / 2
/** Of the same: how much is left of one that should have been renewed, when the operator is told. */
const ENDING_LEFT = 1 / 4
/** Of what is left of a staple: no wait takes more, so that there are tries up to its end. */
const LARGEST_PART_OF_REST = 1 / 4
/** Of a staple's whole time: the least wait, so that the last tries do not come in ever faster succession. */
const LEAST_PART = 1 / 20

/** Verifies what a responder said at `now`. Throws PkiError `ocsp-…`. */
export function acceptAnswer(response: Buffer, { certificate, issuer }: Certified, now: number): StapleAnswer {
  return { ...readOcspResponse(response, { certificate, issuer, now }), response, receivedAt: now }
}

/** Whether clients would believe it now. */
export function isCurrent({ thisUpdate, until }: StapleAnswer, now: number): boolean {
  return thisUpdate <= now + CLOCK_TOLERANCE_MS && until > now
}

/** When an answer that has come now is to be followed by the next. */
export function refreshAt(answer: StapleAnswer, now: number, random: Random): number {
  const { thisUpdate, until } = answer
  const half = thisUpdate + jittered((until - thisUpdate) * REFRESH_AT, JITTER, random)
  // Past already: the responder gives out what it has, and makes a new one when it likes to.
  return Math.round(Math.max(half, now + wait(HOUR_MS, answer, now)))
}

/** What hurries: the answer that there still is, and when the first one is needed, if either is so. */
export type Hurry = { readonly answer: StapleAnswer | undefined; readonly neededBy: number | undefined }

/** When to try again after failures in a row. */
export function retryAt(failures: number, { answer, neededBy }: Hurry, now: number, random: Random): number {
  const step = jittered(LADDER_MS[Math.min(failures, LADDER_MS.length) - 1]!, JITTER, random)
  if (neededBy === undefined) return Math.round(now + wait(step, answer, now))
  return Math.round(now + Math.min(step, Math.max((neededBy - now) * LARGEST_PART_OF_REST, MINUTE_MS)))
}

/** From when on one that has not been renewed is about to end. */
export function endingAt({ thisUpdate, until }: OcspAnswer): number {
  return until - (until - thisUpdate) * ENDING_LEFT
}

function wait(ms: number, answer: StapleAnswer | undefined, now: number): number {
  if (answer === undefined || answer.until <= now) return ms
  const least = Math.max(Math.min(MINUTE_MS, (answer.until - answer.thisUpdate) * LEAST_PART), SECOND_MS)
  return Math.min(ms, Math.max((answer.until - now) * LARGEST_PART_OF_REST, least))
}

/** Where the storage keeps what a responder last said of each certificate, by its fingerprint. */
export const STAPLES = 'staples'

export function stapleKey(fingerprint: string): string {
  return `${STAPLES}/${fingerprint}`
}

/** Throws StorageError `storage-unwritable`. */
export function storeAnswer(storage: Storage, { certificate }: Certified, answer: StapleAnswer): Promise<void> {
  const record = { receivedAt: answer.receivedAt, response: answer.response.toString('base64') }
  return storage.put(stapleKey(certificate.fingerprint), Buffer.from(`${JSON.stringify(record)}\n`))
}

/**
 * What the storage keeps, verified as when it came; undefined for what is damaged, as it is easily had anew. It may be over
 * by now: of a revocation that does not matter. Throws StorageError `storage-unreadable`.
 */
export async function loadAnswer(storage: StorageReader, certified: Certified): Promise<StapleAnswer | undefined> {
  const value = await storage.get(stapleKey(certified.certificate.fingerprint))
  if (value === undefined) return undefined
  try {
    const { receivedAt, response } = JSON.parse(value.toString('utf8'))
    return acceptAnswer(Buffer.from(response, 'base64'), certified, Number(receivedAt))
  } catch {
    return undefined
  }
}
