import type { Socket } from 'node:net'
import { countReadBytes } from '../buffer-garbage.ts'
import { type ClientFacts, type Exchange, NO_FIELDS } from '../exchange/exchange.ts'
import type { RefusedRequest } from '../exchange/refused-request.ts'
import type { HttpDate } from '../http-date.ts'
import type { Sweep, Swept } from '../sweep.ts'
import { ContentPace } from './content-pace.ts'
import { ContentReader } from './content-reader.ts'
import type { ServerDeadlines } from './deadlines.ts'
import { glimpse } from './glimpse.ts'
import { HeadReader } from './head-reader.ts'
import { HeaderSections } from './header-sections.ts'
import { Intake } from './intake.ts'
import type { MessageLimits } from './limits.ts'
import { MessageWriter } from './message-writer.ts'
import { Refusal, refuse } from './refusal.ts'
import { formatRefusal } from './refusal-answer.ts'
import { type ParsedRequest, parseRequestHead } from './request-head.ts'
import { type Carrier, ServerExchange } from './server-exchange.ts'

/** RFC 9112 §2.2 would have at least one skipped; some old clients send one after content. */
const MAX_EMPTY_LINES = 4

/** Clients that use a connection leave it alone for less than this; those that do not need it no more. */
const DRAINING_IDLE_MS = 5_000

/** How a connection is brought to its end. */
export type DrainOptions = {
  /** One without a request under way is not closed at once. */
  readonly sparesIdle: boolean
}

export type ServerConnectionOptions = {
  readonly sweep: Sweep
  readonly limits: MessageLimits
  readonly deadlines: ServerDeadlines
  readonly date: HttpDate
  /** After these the connection closes, as what it holds on to should be given back now and then. */
  readonly maxRequests: number
  /** Called for each request, one after the other. Must call `receive` before it returns. */
  readonly onExchange: (exchange: Exchange) => void
  /** A request broke a rule, and was answered accordingly. It is given where `onExchange` was not called for it. */
  readonly onRefusal: (refusal: Refusal, client: ClientFacts, request: RefusedRequest | undefined) => void
  /** Something that was called from here threw, and the connection is closed. */
  readonly onThrow: (error: unknown, client: ClientFacts) => void
  readonly onClose: (connection: ServerConnection) => void
}

/** What the connection is for at the moment. A request that is being answered is `exchange`, also while its content comes. */
type Phase = 'idle' | 'exchange' | 'tunnel' | 'closing'

/** The server's end of an HTTP/1.1 connection (RFC 9112 §9): requests in, one at a time, responses out. */
export class ServerConnection implements Carrier, Swept {
  readonly writer: MessageWriter
  readonly #socket: Socket
  readonly #client: ClientFacts
  readonly #scheme: 'http' | 'https'
  readonly #options: ServerConnectionOptions
  readonly #heads: HeadReader
  readonly #sections: HeaderSections
  readonly #content: ContentReader
  #phase: Phase = 'idle'
  #exchange: ServerExchange | undefined
  #requests = 0
  /** Another request may follow. */
  #isPersistent = true
  #isDraining = false
  /** The client has closed its sending side, */
  #isEndSeen = false
  /** and all that it had sent by then has had its turn. */
  #isReadEnded = false
  readonly #intake: Intake
  /** The last time at which the phase changed, or something was read that matters to it. */
  #since: number
  readonly #pace = new ContentPace()
  #discardedBytes = 0
  #isTunnelHalfClosed = false

  constructor(socket: Socket, client: ClientFacts, options: ServerConnectionOptions) {
    const { sweep, limits } = options
    this.#socket = socket
    this.#intake = new Intake(socket)
    this.#client = client
    this.#scheme = client.certificateNames === undefined ? 'http' : 'https'
    this.#options = options
    this.writer = new MessageWriter(socket, sweep, () => this.#guard(this.#onWritten))
    this.#heads = new HeadReader({
      maxBytes: limits.startLineBytes + limits.fieldBytes,
      maxFirstLineBytes: limits.startLineBytes,
      maxEmptyLines: MAX_EMPTY_LINES,
      tooLarge: 'fields-too-large',
      firstLineTooLong: 'request-line-too-long',
      malformed: 'request-line-malformed',
    })
    this.#sections = new HeaderSections('requests', limits)
    this.#content = new ContentReader(limits)
    this.#since = sweep.now
    sweep.add(this)
    socket.on('data', (bytes: Buffer) => this.#onData(bytes))
    socket.on('end', () => {
      this.#isEndSeen = true
      if (!this.#intake.hasAhead) this.#guard(this.#onReadEnd)
    })
    socket.on('error', () => socket.destroy())
    socket.once('close', () => this.#guard(this.#onClose))
  }

  /**
   * Closes after the response that is under way. If none is: now, or where idle connections are spared, after the next one,
   * so that no client loses a request that it is just sending; whoever sends none is closed soon.
   */
  drain({ sparesIdle }: DrainOptions): void {
    this.#isDraining = true
    if (this.#phase !== 'idle' || this.#heads.hasBegun) return
    if (sparesIdle) this.#since = this.#options.sweep.now
    else this.#closeNow()
  }

  // What the exchange asks of its connection.

  pauseReading(): void {
    this.#intake.holdBack()
  }

  resumeReading(): void {
    if (!this.#intake.isHeldBack) return
    this.#since = this.#options.sweep.now
    this.#intake.release()
  }

  /**
   * A client that holds its content back may or may not send it once it has its answer (RFC 9110 §10.1.1), and one that has
   * much left to send is better told to stop; in both cases no request can be found after it.
   */
  persistsAfter(exchange: ServerExchange, isEndFramed: boolean): boolean {
    const isContentLost =
      !this.#content.isComplete &&
      ((exchange.expectsContinue && this.#pace.isAtStart) || this.#isTooMuchLeft(this.#content.left))
    const isLast = this.#isDraining || this.#isReadEnded || this.#requests >= this.#options.maxRequests
    if (!isEndFramed || isContentLost || isLast) this.#isPersistent = false
    return this.#isPersistent
  }

  discarded(bytes: number): void {
    this.#discardedBytes += bytes
    if (this.#discardedBytes > this.#options.deadlines.lingerBytes) this.#close()
  }

  contentEnded(): void {
    if (this.#phase === 'exchange' && this.#exchange!.isOver) this.#proceed()
  }

  protocolSwitched(): void {
    this.#isPersistent = false
    this.#phase = 'tunnel'
    this.#since = this.#options.sweep.now
    if (this.#intake.hasAhead || this.#isEndSeen) process.nextTick(() => this.#readAhead())
  }

  responseEnded(): void {
    this.writer.flush()
    // Where the response was with the client before its end was known, nothing else will tell.
    if (this.writer.isIdle) process.nextTick(() => this.#guard(this.#onWritten))
    if (this.#phase !== 'tunnel') return
    this.#endTunnelSide()
    this.#socket.end()
  }

  breakOff(isEndFramed: boolean): void {
    this.writer.flush()
    if (isEndFramed) this.#close()
    else if ('encrypted' in this.#socket) this.#socket.destroy()
    else this.#socket.resetAndDestroy()
  }

  // What the socket tells.

  #guard(work: () => void): void {
    try {
      work.call(this)
    } catch (error) {
      this.#fail(error)
    }
  }

  #onData(bytes: Buffer): void {
    countReadBytes(bytes.length)
    try {
      if (this.#phase === 'closing') return this.#drop(bytes)
      if (!this.#heads.hasBegun && this.#exchange?.isOver !== true) this.#since = this.#options.sweep.now
      this.#read(bytes)
    } catch (error) {
      this.#fail(error)
    }
  }

  #read(bytes: Buffer): void {
    let at = 0
    while (at < bytes.length) {
      switch (this.#phase) {
        case 'idle':
          at = this.#readHead(bytes, at)
          break
        case 'exchange':
          // Pipelined requests wait in the socket, but for what has been read already (RFC 9112 §9.3.2).
          if (this.#content.isComplete) return this.#intake.keep(bytes.subarray(at))
          at = this.#readContent(bytes, at)
          break
        case 'tunnel':
          this.#exchange!.onContent(at === 0 ? bytes : bytes.subarray(at))
          return
        case 'closing':
          return
      }
    }
  }

  #readHead(bytes: Buffer, at: number): number {
    const { sweep, onExchange } = this.#options
    const parsed = this.#parseHead(bytes, at)
    if (parsed === undefined) return bytes.length
    this.#requests++
    this.#isPersistent = parsed.isPersistent
    this.#content.begin(parsed.framing)
    this.#since = sweep.now
    this.#pace.begin(sweep.now)
    this.#discardedBytes = 0
    const exchange = new ServerExchange(parsed, this.#client, this)
    this.#exchange = exchange
    this.#phase = 'exchange'
    const next = this.#heads.next
    onExchange(exchange)
    // The bytes of the protocol that is asked for are still to come, if it comes to that.
    if (parsed.framing === 0 && parsed.request.upgrade === undefined) exchange.onContentEnd(NO_FIELDS)
    return next
  }

  /** undefined if more must come, or it was refused. */
  #parseHead(bytes: Buffer, at: number): ParsedRequest | undefined {
    let text: string | undefined
    try {
      text = this.#heads.read(bytes, at)
      return text === undefined ? undefined : parseRequestHead(text, this.#scheme, this.#sections)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      this.#refuseHead(error, text ?? this.#heads.begun(bytes, at))
      return undefined
    }
  }

  #readContent(bytes: Buffer, at: number): number {
    const next = this.#content.read(bytes, at, this.#exchange!)
    this.#pace.count(next - at)
    return next
  }

  #readAhead(): void {
    const ahead = this.#intake.take()
    if (ahead !== undefined) this.#onData(ahead)
    if (this.#isEndSeen && !this.#intake.hasAhead) this.#guard(this.#onReadEnd)
  }

  #onReadEnd(): void {
    this.#isReadEnded = true
    switch (this.#phase) {
      case 'idle':
        return this.#closeNow()
      case 'exchange':
        this.#isPersistent = false
        this.#since = this.#options.sweep.now
        if (!this.#isHalfClosable()) this.#socket.destroy()
        return
      case 'tunnel':
        this.#endTunnelSide()
        return this.#exchange!.onContentEnd(NO_FIELDS)
      case 'closing':
        return
    }
  }

  /**
   * A client may close its sending side once it has sent its request, and wait for the answer (RFC 9112 §9.6). Closing a
   * page looks the same from here, until the next piece of the answer is met with a reset. TLS knows no half of a
   * connection here.
   */
  #isHalfClosable(): boolean {
    return this.#content.isComplete && (this.#exchange!.hasEnded || this.#socket.allowHalfOpen)
  }

  #onWritten(): void {
    const exchange = this.#exchange
    if (exchange === undefined) return
    if (this.#phase === 'tunnel' || this.#isReadEnded) this.#since = this.#options.sweep.now
    if (!exchange.hasEnded) return exchange.onWritable()
    if (this.#phase !== 'exchange' || !this.writer.isIdle || exchange.isOver) return
    exchange.finish(true)
    this.#proceed()
  }

  #onClose(): void {
    this.#phase = 'closing'
    this.#options.sweep.delete(this)
    this.#options.onClose(this)
    this.#exchange?.finish(false)
  }

  // From one phase to the next.

  /** The response is out: on to the next request, once the content of this one is. */
  #proceed(): void {
    const isAllRead = this.#content.isComplete && !this.#intake.hasAhead
    if (!this.#isPersistent || this.#isDraining) return isAllRead ? this.#closeNow() : this.#close()
    if (!this.#content.isComplete) return this.#discardContent()
    this.#exchange = undefined
    this.#phase = 'idle'
    this.#since = this.#options.sweep.now
    this.resumeReading()
    if (this.#intake.hasAhead) this.#readAhead()
    else if (this.#isReadEnded) this.#closeNow()
  }

  #discardContent(): void {
    this.#since = this.#options.sweep.now
    if (this.#isTooMuchLeft(this.#content.left)) this.#close()
    else this.resumeReading()
  }

  #isTooMuchLeft(bytes: number): boolean {
    return bytes > this.#options.deadlines.lingerBytes && bytes < Number.POSITIVE_INFINITY
  }

  /** Says goodbye to a client that has nothing more to say, as far as can be known. */
  #closeNow(): void {
    this.#phase = 'closing'
    this.#since = this.#options.sweep.now
    this.writer.flush()
    this.#socket.destroySoon()
  }

  /**
   * Says goodbye, and reads on for a while: a reset in answer to what still comes would overtake the last response
   * (RFC 9112 §9.6).
   */
  #close(): void {
    if (this.#phase === 'closing') return
    this.#phase = 'closing'
    this.#since = this.#options.sweep.now
    this.#discardedBytes = 0
    this.writer.flush()
    this.#socket.end()
    this.#intake.open()
  }

  /**
   * Past the bound it is left in the socket, where it costs nothing, until the time is over: to a client that is slow to look
   * at its answer, a reset now would take it away.
   */
  #drop(bytes: Buffer): void {
    this.#discardedBytes += bytes.length
    if (this.#discardedBytes > this.#options.deadlines.lingerBytes) this.#intake.holdBack()
  }

  #endTunnelSide(): void {
    this.#isTunnelHalfClosed = true
    this.#since = this.#options.sweep.now
  }

  #fail(error: unknown): void {
    if (error instanceof Refusal) return this.#refuseContent(error)
    this.#socket.destroy()
    this.#options.onThrow(error, this.#client)
  }

  /** Of a request that nobody gets to see. `head` is as much of it as has come. */
  #refuseHead(refusal: Refusal, head: string): void {
    const { sweep, onRefusal } = this.#options
    const { status, code: why } = refusal
    const durationMs = sweep.now - this.#since
    const bytes = this.#answerRefusal(status)
    onRefusal(refusal, this.#client, { ...glimpse(head), status, bytes, durationMs, why })
  }

  #refuseContent(refusal: Refusal): void {
    const exchange = this.#exchange!
    this.#options.onRefusal(refusal, this.#client, undefined)
    if (exchange.hasResponded) {
      exchange.refuse(refusal.code)
      return this.#close()
    }
    exchange.finishRefused(refusal.code, refusal.status, this.#answerRefusal(refusal.status))
  }

  /**
   * Where the next request begins is not known any more, so nothing else can follow (RFC 9112 §11.2). Gives the bytes of the
   * answer's content.
   */
  #answerRefusal(status: number): number {
    const { text, contentBytes } = formatRefusal(status, this.#options.date.now())
    this.writer.text(text)
    this.#close()
    return contentBytes
  }

  // Deadlines.

  sweep(now: number): void {
    this.#guard(() => this.#checkDeadlines(now))
  }

  #checkDeadlines(now: number): void {
    const { idleMs, headMs, writeStallMs, tunnelIdleMs, halfClosedMs, lingerMs } = this.#options.deadlines
    const elapsed = now - this.#since
    if (this.writer.stalledFor(now) > writeStallMs) return void this.#socket.destroy()
    switch (this.#phase) {
      case 'idle':
        if (!this.#heads.hasBegun) return elapsed > this.#idleMs(idleMs) ? this.#closeNow() : undefined
        return elapsed > headMs ? this.#refuseHead(refuse('head-incomplete-in-time'), this.#heads.begun()) : undefined
      case 'exchange':
        if (!this.#content.isComplete) return this.#checkContent(now, elapsed)
        if (this.#isSilentToHalf() && elapsed > halfClosedMs) this.#socket.destroy()
        return
      case 'tunnel':
        if (elapsed > (this.#isTunnelHalfClosed ? halfClosedMs : tunnelIdleMs)) this.#socket.destroy()
        return
      case 'closing':
        if (elapsed > lingerMs) this.#socket.destroy()
        return
    }
  }

  #idleMs(idleMs: number): number {
    return this.#isDraining ? Math.min(idleMs, DRAINING_IDLE_MS) : idleMs
  }

  /** Only what is sent to a client that has closed its sending side can tell whether it is still there. */
  #isSilentToHalf(): boolean {
    return this.#isReadEnded && this.#exchange!.hasResponded && this.writer.isIdle
  }

  /** Once a response has begun, content may come as slowly as the two ends like: they may be talking. */
  #checkContent(now: number, elapsed: number): void {
    const { deadlines } = this.#options
    const exchange = this.#exchange!
    if (exchange.isOver) return elapsed > deadlines.lingerMs ? this.#close() : undefined
    this.#pace.pass(now, !this.#intake.isHeldBack)
    if (this.#intake.isHeldBack || exchange.hasResponded) return
    if (elapsed > deadlines.contentPauseMs || this.#pace.isTooSlow(deadlines))
      this.#refuseContent(refuse('content-incomplete-in-time'))
  }
}
