import {
  type Exchange,
  type ExchangeFailure,
  type Fields,
  type ResponseHead,
  type ResponseReceiver,
  UNKNOWN_LENGTH,
} from '../exchange/exchange.ts'
import type { HttpDate } from '../http-date.ts'
import type { UpstreamLine } from './pool.ts'
import type { Told } from './request-fields.ts'
import { chosenProtocol, isDated, responseFields, upgradeFields } from './response-fields.ts'
import { viaValue } from './via.ts'
import { isAccepted, oneProtocol, type WebSocketHandshake } from './websocket.ts'

const UPGRADE_REQUIRED = 426

const NOT_OFFERED: ExchangeFailure = {
  code: 'response-malformed',
  message: 'it switched to a protocol that nobody had offered',
  isUnprocessed: false,
}

const NOT_ACCEPTED: ExchangeFailure = {
  code: 'response-malformed',
  message: 'it answered to a WebSocket with another key than was asked for',
  isUnprocessed: false,
}

export type RelayOptions = { readonly told: Told; readonly date: HttpDate }

/** Whom a relay tells what is not the client's to know. */
export interface RelayedForwarding {
  /** The value of a Set-Cookie field of ours, for the response. */
  readonly cookie: string | undefined
  /** The upstream has taken enough for more content to be sent. */
  takesContent(): void
  /** The final response has begun. */
  responded(): void
  /** `isStale`: the connection had been used before, and closed without a byte of an answer. */
  failed(failure: ExchangeFailure, hasResponded: boolean, isStale: boolean): void
}

/** Hands one attempt's response to the client. */
export class Relay implements ResponseReceiver {
  readonly #forwarding: RelayedForwarding
  readonly #exchange: Exchange
  readonly #options: RelayOptions
  readonly #httpVersion: UpstreamLine['httpVersion']
  readonly #handshake: WebSocketHandshake | undefined
  readonly #isReused: boolean
  #hasResponded = false

  constructor(
    forwarding: RelayedForwarding,
    exchange: Exchange,
    options: RelayOptions,
    line: UpstreamLine,
    handshake: WebSocketHandshake | undefined,
  ) {
    this.#forwarding = forwarding
    this.#exchange = exchange
    this.#options = options
    this.#httpVersion = line.httpVersion
    this.#handshake = handshake
    this.#isReused = line.isUsed
  }

  onInform({ status, reason, fields }: ResponseHead): void {
    this.#exchange.inform({ status, reason, fields: responseFields(fields) })
  }

  onResponse(head: ResponseHead, contentLength: number): void {
    if (head.status === 101) return this.#switchProtocols(head)
    this.#hasResponded = true
    this.#forwarding.responded()
    const { status, reason } = head
    const fields = responseFields(head.fields)
    if (status === UPGRADE_REQUIRED && this.#exchange.request.version !== '2')
      fields.push(...upgradeFields(head.fields))
    const { cookie } = this.#forwarding
    if (cookie !== undefined) fields.push('Set-Cookie', cookie)
    if (!isDated(fields)) fields.push('Date', this.#options.date.now())
    if (this.#options.told.via) fields.push('Via', viaValue(this.#httpVersion))
    this.#exchange.respond({ status, reason, fields }, contentLength)
  }

  onContent(piece: Buffer): boolean {
    return this.#exchange.write(piece)
  }

  onContentEnd(trailers: Fields): void {
    this.#exchange.end(trailers)
  }

  onDrain(): void {
    this.#forwarding.takesContent()
  }

  onFailure(failure: ExchangeFailure): void {
    this.#forwarding.failed(failure, this.#hasResponded, this.#isReused && failure.code === 'upstream-closed')
  }

  #switchProtocols({ status, reason, fields }: ResponseHead): void {
    const { upgrade = '' } = this.#exchange.request
    const chosen = this.#httpVersion === '2' ? oneProtocol(upgrade) : chosenProtocol(fields, upgrade)
    if (chosen === undefined) return this.#forwarding.failed(NOT_OFFERED, false, false)
    const handshake = this.#handshake
    if (handshake?.towards === 'upstream' && !isAccepted(fields, handshake.key))
      return this.#forwarding.failed(NOT_ACCEPTED, false, false)
    this.#hasResponded = true
    this.#forwarding.responded()
    const kept = responseFields(fields)
    if (handshake?.towards === 'client' && handshake.accept !== undefined)
      kept.push('Sec-WebSocket-Accept', handshake.accept)
    const { cookie } = this.#forwarding
    if (cookie !== undefined) kept.push('Set-Cookie', cookie)
    // Only where several were offered is it not known already which one it is.
    if (chosen !== upgrade) kept.push('Upgrade', chosen)
    this.#exchange.respond({ status, reason, fields: kept }, UNKNOWN_LENGTH)
  }
}
