import type { KeyObject } from 'node:crypto'
import { AcmeError } from '../acme/acme-error.ts'
import { isObject } from '../acme/json-object.ts'
import { AcmeProblemError } from '../acme/problem.ts'
import { describeError } from '../errors.ts'
import type { KeyKind } from '../pki/key-kind.ts'
import { exportPrivateKey, importPrivateKey, keyKindOf } from '../pki/keys.ts'
import { PkiError } from '../pki/pki-error.ts'
import { segmentFor } from '../storage/segment.ts'
import type { Storage } from '../storage/storage.ts'
import type { Clock } from '../system/clock.ts'
import type { Log } from '../telemetry/log.ts'

/** What an order is for: with anything else of it changed, it is another one. */
export type OrderSubject = {
  readonly names: readonly string[]
  readonly keyKind: KeyKind
  readonly mustStaple: boolean
  readonly profile: string | undefined
  /** URL. */
  readonly account: string
}

/** An order that the CA was asked to finalize, and the key that it is for. */
export type UnfinishedOrder = { readonly url: string; readonly privateKey: KeyObject }

/** Longer than any wait for the next try. Later, what comes of an order is too old to be worth it. */
const MAX_AGE_MS = 2 * 24 * 60 * 60 * 1000

type Surroundings = { readonly storage: Storage; readonly clock: Clock; readonly log: Log }

/**
 * The orders of one issuer whose certificates may exist already, but have not come: the answer was lost, the CA broke down,
 * or the program ended. Whoever ordered anew would spend another of the few that a CA gives for the same names.
 */
export class UnfinishedOrders {
  readonly #issuer: string
  readonly #surroundings: Surroundings

  constructor(issuer: string, surroundings: Surroundings) {
    this.#issuer = issuer
    this.#surroundings = surroundings
  }

  /** The one that was begun for just this, if it was not long ago. Throws StorageError `storage-unreadable`. */
  async find(subject: OrderSubject): Promise<UnfinishedOrder | undefined> {
    const { storage, clock } = this.#surroundings
    const value = await storage.get(this.#place(subject))
    if (value === undefined) return undefined
    const record = parseRecord(value)
    if (record?.subject !== JSON.stringify(subject) || keyKindOf(record.privateKey) !== subject.keyKind)
      return undefined
    return isTooOld(record, clock.now()) ? undefined : record
  }

  /** To be called before the CA is asked to finalize. */
  async keep(subject: OrderSubject, { url, privateKey }: UnfinishedOrder): Promise<void> {
    const { storage, clock } = this.#surroundings
    const record = { subject: JSON.stringify(subject), url, at: clock.now(), privateKey: exportPrivateKey(privateKey) }
    const value = Buffer.from(`${JSON.stringify(record, undefined, 2)}\n`)
    await this.#careless(subject, () => storage.put(this.#place(subject), value))
  }

  /** It has come to its end, or nothing will come of it. */
  async forget(subject: OrderSubject): Promise<void> {
    await this.#careless(subject, () => this.#surroundings.storage.delete(this.#place(subject)))
  }

  /** This memory is worth less than a certificate: a full disk must not keep one from being ordered. */
  async #careless(subject: OrderSubject, write: () => Promise<void>): Promise<void> {
    try {
      await write()
    } catch (error) {
      const names = subject.names.join(', ')
      const message = `The order for ${names} could not be written down, and would be placed anew after a restart: ${describeError(error)}`
      this.#surroundings.log.warn('order-not-stored', message, { issuer: this.#issuer, names: subject.names })
    }
  }

  #place({ names, keyKind }: OrderSubject): string {
    return `issuers/${this.#issuer}/orders/${segmentFor(names[0]!, [...names].sort().join())}.${keyKind}`
  }
}

/** Whether the certificate of an order that failed so may come all the same, when it is asked for again. */
export function mayStillCome(error: unknown): boolean {
  if (error instanceof AcmeProblemError) return error.httpStatus >= 500 || error.httpStatus === 429
  return !(error instanceof AcmeError) || !FINAL.has(error.code)
}

/** Whether a value that is stored of an order is of no use any more, or cannot be read. */
export function isOutdated(value: Buffer, now: number): boolean {
  const record = parseRecord(value)
  return record === undefined || isTooOld(record, now)
}

/** Too far ahead, too: it was written by a clock that was. */
function isTooOld({ at }: Record, now: number): boolean {
  return Math.abs(now - at) > MAX_AGE_MS
}

const FINAL = new Set<AcmeError['code']>([
  'authorization-failed',
  'certificate-unusable',
  'challenge-not-offered',
  'order-invalid',
])

type Record = { readonly subject: string; readonly url: string; readonly at: number; readonly privateKey: KeyObject }

/** Undefined if anything about it is not as it was written. */
function parseRecord(value: Buffer): Record | undefined {
  try {
    const record: unknown = JSON.parse(value.toString('utf8'))
    if (!isObject(record)) return undefined
    const { subject, url, at, privateKey } = record
    if (typeof subject !== 'string' || typeof url !== 'string' || typeof privateKey !== 'string') return undefined
    return Number.isFinite(at)
      ? { subject, url, at: at as number, privateKey: importPrivateKey(privateKey) }
      : undefined
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof PkiError) return undefined
    throw error
  }
}
