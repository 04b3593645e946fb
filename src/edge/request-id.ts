import type { Fields } from './exchange/exchange.ts'
import { fieldRole } from './fields.ts'

const WELL_FORMED = /^[A-Za-z0-9._-]{1,128}$/

/** With the counter behind it, 128 bits. */
const PREFIX_BYTES = 12
const MAX_COUNT = 0xffff_ffff

/**
 * Names requests, so that what the proxy and its upstreams log of one can be found by it. Made up, a name is hexadecimal
 * digits for 128 bits: a random prefix, and a counter, as to roll the dice for each costs ten times as much. They are unique,
 * and no secret.
 */
export class RequestIds {
  readonly #randomBytes: (size: number) => Buffer
  #prefix = ''
  #count = MAX_COUNT

  constructor(randomBytes: (size: number) => Buffer) {
    this.#randomBytes = randomBytes
  }

  /** The id that a request came with, or a new one if that is none that can stand in a log line and a page as it is. */
  of(fields: Fields): string {
    const given = givenId(fields)
    return given !== undefined && WELL_FORMED.test(given) ? given : this.#next()
  }

  #next(): string {
    if (this.#count === MAX_COUNT) {
      this.#prefix = this.#randomBytes(PREFIX_BYTES).toString('hex')
      this.#count = -1
    }
    return this.#prefix + (++this.#count).toString(16).padStart(8, '0')
  }
}

/** In all its spellings (`x_request_id`), which have one length. */
const NAME_LENGTH = 'x-request-id'.length

function givenId(fields: Fields): string | undefined {
  for (let at = 0; at < fields.length; at += 2) {
    const name = fields[at]!
    if (name.length === NAME_LENGTH && fieldRole(name) === 'request-id') return fields[at + 1]
  }
  return undefined
}
