import type { Endpoints } from '../endpoints.ts'
import type { ErrorAnswers } from '../error-answers.ts'
import { type Answer, respondWith } from '../exchange/answer.ts'
import {
  type Exchange,
  type ExchangeFailure,
  type Fields,
  NO_FIELDS,
  type Outcome,
  type RequestReceiver,
  type UpstreamExchange,
  type UpstreamRequest,
} from '../exchange/exchange.ts'
import type { HttpDate } from '../http-date.ts'
import type { UpstreamAddress, UpstreamSnapshot } from '../snapshot.ts'
import type { Balanced } from './balance/chooser.ts'
import type { Gate } from './balance/gate.ts'
import { RESTART_MS, type Refused } from './balance/restart-line.ts'
import type { Target } from './balance/target.ts'
import type { NoTarget, TargetGroup } from './balance/target-group.ts'
import type { Waiter } from './balance/waiting-line.ts'
import type { UpstreamConnections } from './connections.ts'
import type { Borrower, Lease, UpstreamLine } from './pool.ts'
import { Relay, type RelayedForwarding } from './relay.ts'
import { requestFields, type Told } from './request-fields.ts'
import { SentContent } from './sent-content.ts'
import {
  failureError,
  noTargetError,
  type UpstreamError,
  unreachableError,
  wasCutOff,
  wasRefused,
} from './upstream-error.ts'
import { formatUpstream } from './upstream-name.ts'
import { handshakeOf, oneProtocol, setKey, type WebSocketHandshake } from './websocket.ts'

export type ForwardOptions = {
  readonly told: Told
  readonly connections: UpstreamConnections
  readonly date: HttpDate
  /** For what the upstream fails to answer. */
  readonly errorAnswers: ErrorAnswers
  readonly randomBytes: (size: number) => Buffer
  readonly record: ForwardRecord
  /** What bounds the requests of the site; undefined where nothing does. */
  readonly gate?: Gate | undefined
}

/** Whom the forwarding of a request tells how it goes, for the log and the counters. */
export interface ForwardRecord {
  /** It is about to be sent there, for the first time or once more. */
  onAttempt(upstream: UpstreamAddress): void
  /** No connection is at hand; one is being opened, or waited for. */
  onWait(): void
  /** It is on a connection now. */
  onSent(): void
  /** The head of the final response is here. */
  onResponse(): void
  /** A target gave no usable response, and another one is asked, or the same once more. */
  onRetry(error: UpstreamError): void
  /** The upstream gave no usable response, or not all of it. */
  onFailure(error: UpstreamError): void
  /** The last event. */
  onEnd(outcome: Outcome): void
}

/** RFC 9110 §9.2.2: may be sent again without harm. */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'])

/**
 * Sends the request to a target of the upstream and its response to the client, both ways piece by piece. A client that goes
 * away ends the upstream's request at once; an upstream that fails before its response is a 502 or 504, and after it a
 * response that breaks off; one that has no room, or no target left, a 503.
 */
export function forward(exchange: Exchange, upstream: UpstreamSnapshot, options: ForwardOptions): void {
  const forwarding = new Forwarding(exchange, upstream, options)
  exchange.receive(forwarding)
  forwarding.begin()
}

/** A connection may turn out to be dead, and the next to be going away. Whoever fails more often is not there. */
const MAX_SENDINGS = 3

const NONE_TRIED: readonly Target[] = []

/**
 * A request on its way. It is sent once more where a connection turns out to be dead, or the upstream did not look at it; to
 * another target where one has failed it that cannot have acted on it, or may have without harm; and for a while again and
 * again to one that refuses connections, or once it is there again, for it may be restarting.
 */
class Forwarding implements RequestReceiver, Borrower, RelayedForwarding, Balanced, Waiter, Refused {
  readonly #exchange: Exchange
  readonly #upstream: UpstreamSnapshot
  readonly #options: ForwardOptions
  readonly #group: TargetGroup
  /** Where it is now, or was last. */
  #target: Target | undefined
  #isUnderWay = false
  #place: 'outside' | 'before-gate' | 'inside' = 'outside'
  #retries = 0
  /** Where it has been in vain. */
  tried: readonly Target[] = NONE_TRIED
  /** On the clock of the restart line; 0 before the first refusal. */
  refusedUntil = 0
  #refusal: UpstreamError | undefined
  #lease: Lease | undefined
  #upstreamExchange: UpstreamExchange | undefined
  /** Content that came before there was a connection, and whether that was all of it. */
  #held: Buffer[] = []
  #isContentWhole = false
  #trailers: Fields = NO_FIELDS
  readonly #sentContent = new SentContent()
  /** To this target. */
  #sendings = 0
  /** Nothing more comes of the upstream. */
  #isOver = false

  constructor(exchange: Exchange, upstream: UpstreamSnapshot, options: ForwardOptions) {
    this.#exchange = exchange
    this.#upstream = upstream
    this.#options = options
    this.#group = options.connections.to(upstream)
  }

  begin(): void {
    const { gate } = this.#options
    if (gate === undefined) return this.#choose()
    const entered = gate.enter(this)
    if (entered === 'refused') return this.#fail(noTargetError('site-full', ''), false)
    this.#place = entered === 'in' ? 'inside' : 'before-gate'
    if (entered === 'in') this.#choose()
  }

  // What decides where it goes.

  get fields(): Fields {
    return this.#exchange.request.fields
  }

  get clientAddress(): string {
    return this.#options.told.origin.clientAddress
  }

  get cookie(): string | undefined {
    return this.#group.cookieFor(this.#target!, this, this.#options.told.origin.scheme)
  }

  #choose(): void {
    const target = this.#group.choose(this)
    if (typeof target === 'string') this.#wait(target)
    else this.#goTo(target)
  }

  #wait(why: NoTarget): void {
    const waits = why === 'full' ? this.#group.wait(this) : this.#waitForReturn()
    if (!waits) this.#fail(this.#errorWithout(why), false)
  }

  #errorWithout(why: NoTarget): UpstreamError {
    const names = this.#upstream.targets.map(({ address }) => formatUpstream(address)).join(', ')
    return noTargetError(`upstream-${why}`, names)
  }

  #goTo(target: Target): void {
    this.#target = target
    this.#isUnderWay = true
    this.#sendings = 0
    this.#send(false)
  }

  #leave(): void {
    if (!this.#isUnderWay) return
    this.#isUnderWay = false
    this.#group.release(this.#target!)
  }

  onTurn(): void {
    this.#place = this.#options.gate === undefined ? 'outside' : 'inside'
    this.#choose()
  }

  onWaitedInVain(): void {
    if (this.#place === 'before-gate') {
      this.#place = 'outside'
      return this.#fail(noTargetError('site-full', ''), false)
    }
    this.#fail(this.#errorWithout('full'), false)
  }

  onTryAgain(): void {
    this.tried = NONE_TRIED
    this.#choose()
  }

  onStillRefused(): void {
    this.#fail(this.#refusal!, false)
  }

  #send(mustBeFresh: boolean): void {
    const { peer, pool } = this.#target!
    this.#upstreamExchange = undefined
    this.#sendings++
    this.#options.record.onAttempt(peer.address)
    this.#lease = pool.lease(this, mustBeFresh)
    if (this.#lease !== undefined) this.#options.record.onWait()
  }

  // What the pool asks and tells.

  get client(): Endpoints {
    const { address, port, localAddress, localPort } = this.#exchange.client
    const { clientAddress } = this.#options.told.origin
    // The port that a proxy's client has there is not known.
    const clientPort = clientAddress === address ? port : undefined
    return { clientAddress, clientPort, localAddress, localPort }
  }

  onConnection(line: UpstreamLine): void {
    const { request } = this.#exchange
    this.#options.record.onSent()
    const handshake = handshakeOf(request, line.httpVersion, this.#options.randomBytes)
    this.#lease = undefined
    if (this.#refusal !== undefined) this.#group.restartLine.open()
    // Who speaks HTTP/1.1 cannot say that it did not look at a request.
    if (line.httpVersion === '1.1' && !this.#mayGoElsewhere) this.#sentContent.forget()
    const sent = this.#requestFor(line, handshake)
    this.#upstreamExchange = line.send(sent, new Relay(this, this.#exchange, this.#options, line, handshake))
    if (this.#held.length > 0) this.#sendHeld(this.#upstreamExchange)
    // What is no upgrade there is whole, for upgrades have no content.
    const isUpgradeDropped = request.upgrade !== undefined && sent.upgrade === undefined
    if (this.#isContentWhole || isUpgradeDropped) this.#upstreamExchange.end(this.#trailers)
  }

  #requestFor({ httpVersion }: UpstreamLine, handshake: WebSocketHandshake | undefined): UpstreamRequest {
    const { request, contentLength } = this.#exchange
    const { method, scheme, authority, target, upgrade, takesTrailers } = request
    const fields = requestFields(this.#exchange, this.#options.told)
    const plain = { method, scheme, authority, target, fields, contentLength, upgrade, takesTrailers }
    if (upgrade === undefined) return plain
    // RFC 8441 §4 has no place for a method: what asks by another than GET goes on without the upgrade.
    if (httpVersion === '2') return { ...plain, upgrade: method === 'GET' ? oneProtocol(upgrade) : undefined }
    if (handshake?.towards === 'upstream') setKey(fields, handshake.key)
    return plain
  }

  onUnreachable(cause: unknown): void {
    this.#lease = undefined
    if (this.#isOver) return
    // Nothing was sent: whatever its method, it may do no harm. Who refuses would do so again, and who is slow stays so.
    if (wasCutOff(cause) && this.#sendings === 1) return this.#send(true)
    const error = unreachableError(this.#target!.peer, cause)
    this.#group.failed(this.#target!)
    if (this.#goElsewhere(error) || (wasRefused(cause) && this.#waitForRestart(error))) return
    this.#fail(error, false)
  }

  /** Whether it may be sent to another target although this one may have acted on it (RFC 9110 §9.2.2). */
  get #mayGoElsewhere(): boolean {
    return this.#group.retries > 0 && IDEMPOTENT.has(this.#exchange.request.method)
  }

  /** Goes to another target, if there is one and this is not too much. */
  #goElsewhere(error: UpstreamError): boolean {
    if (this.#retries >= this.#group.retries) return false
    this.tried = [...this.tried, this.#target!]
    const target = this.#group.chooseAgain(this)
    if (target === undefined) return false
    this.#retries++
    this.#options.record.onRetry(error)
    this.#leave()
    this.#held.unshift(...this.#sentContent.take())
    this.#goTo(target)
    return true
  }

  /** Nothing was sent, and nobody listens: perhaps in a moment. */
  #waitForRestart(error: UpstreamError): boolean {
    const isFirst = this.#refusal === undefined
    if (!this.#joinRestartLine(error)) return false
    if (isFirst) this.#options.record.onRetry(error)
    this.#leave()
    return true
  }

  /** All are down, as their checks say: perhaps only for a moment. */
  #waitForReturn(): boolean {
    return this.#group.mayReturn && this.#joinRestartLine(this.#errorWithout('none'))
  }

  /** `error` is told if that was in vain. */
  #joinRestartLine(error: UpstreamError): boolean {
    const { restartLine } = this.#group
    if (this.refusedUntil === 0) this.refusedUntil = restartLine.now + RESTART_MS
    if (!restartLine.join(this)) return false
    this.#refusal = error
    return true
  }

  #sendHeld(upstream: UpstreamExchange): void {
    let takesMore = true
    for (const piece of this.#held) {
      this.#sentContent.add(piece)
      takesMore = upstream.write(piece)
    }
    this.#held = []
    if (takesMore) this.#exchange.resume()
  }

  // What the client does.

  onContent(piece: Buffer): boolean {
    if (this.#isOver) return true
    if (this.#upstreamExchange === undefined) {
      this.#held.push(piece)
      return false
    }
    this.#sentContent.add(piece)
    return this.#upstreamExchange.write(piece)
  }

  onContentEnd(trailers: Fields): void {
    this.#isContentWhole = true
    this.#trailers = trailers
    this.#upstreamExchange?.end(trailers)
  }

  onDrain(): void {
    this.#upstreamExchange?.resume()
  }

  onEnd(outcome: Outcome): void {
    this.#isOver = true
    this.#held = []
    this.#lease?.cancel()
    this.#upstreamExchange?.abort()
    this.#leave()
    if (this.#refusal !== undefined) this.#group.restartLine.leave(this)
    if (this.#place !== 'before-gate') this.#group.giveUp(this)
    this.#leaveGate()
    this.#options.record.onEnd(outcome)
  }

  #leaveGate(): void {
    const { gate } = this.#options
    if (gate === undefined) return
    if (this.#place === 'inside') gate.leave()
    else if (this.#place === 'before-gate') gate.giveUp(this)
    this.#place = 'outside'
  }

  // What the upstream does; called by the relay of the one attempt that counts.

  takesContent(): void {
    this.#exchange.resume()
  }

  responded(): void {
    this.#options.record.onResponse()
    this.#group.answered(this.#target!)
    this.#sentContent.forget()
  }

  failed(failure: ExchangeFailure, hasResponded: boolean, isStale: boolean): void {
    if (this.#isOver) return
    const isSafe = failure.isUnprocessed
      ? this.#sentContent.isWhole
      : isStale && this.#sentContent.isNone && IDEMPOTENT.has(this.#exchange.request.method)
    if (isSafe && !hasResponded && this.#sendings < MAX_SENDINGS) {
      this.#held.unshift(...this.#sentContent.take())
      return this.#send(true)
    }
    const target = this.#target!
    const error = failureError(target.peer, failure, target.pool.hasAnswered)
    this.#group.failed(target)
    const mayGo = !hasResponded && this.#sentContent.isWhole && (failure.isUnprocessed || this.#mayGoElsewhere)
    if (mayGo && this.#goElsewhere(error)) return
    this.#fail(error, hasResponded)
  }

  #fail(error: UpstreamError, hasResponded: boolean): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#held = []
    this.#upstreamExchange?.abort()
    this.#leave()
    this.#options.record.onFailure(error)
    if (hasResponded) return this.#exchange.abort()
    const { errorAnswers, told } = this.#options
    respondWith(
      this.#exchange,
      withRetryAfter(errorAnswers(error.status, this.#exchange.request, told.requestId), error),
    )
    this.#exchange.resume()
  }
}

/** RFC 9110 §10.2.3. */
function withRetryAfter(answer: Answer, { retryAfter }: UpstreamError): Answer {
  if (retryAfter === undefined) return answer
  return { ...answer, fields: [...answer.fields, 'Retry-After', String(retryAfter)] }
}
