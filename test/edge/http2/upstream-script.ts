import type { ExchangeFailure, Fields, ResponseHead, ResponseReceiver } from '../../../src/edge/exchange/exchange.ts'
import type { Http2Error, Http2ErrorCode } from '../../../src/edge/http2/http2-error.ts'
import {
  Http2UpstreamConnection,
  type Http2UpstreamOptions,
  type UpstreamRequest,
} from '../../../src/edge/http2/upstream-connection.ts'
import type { UpstreamStream } from '../../../src/edge/http2/upstream-stream.ts'
import { FrameTrace, PREFACE, settings, settingsAck } from './frames.ts'
import { MemorySocket } from './memory-socket.ts'
import { TestSweep, turn } from './test-sweep.ts'

/** A request that was sent, and what came for it. */
export class Asked implements ResponseReceiver {
  readonly exchange: UpstreamStream
  readonly events: string[] = []
  failure: ExchangeFailure | undefined
  content = ''
  #isTaking = true

  constructor(connection: Http2UpstreamConnection, request: UpstreamRequest) {
    this.exchange = connection.request(request, this)
    this.events.push('asked')
  }

  onInform({ status }: ResponseHead): void {
    this.events.push(`inform ${status}`)
  }

  onResponse({ status, fields }: ResponseHead, contentLength: number): void {
    this.events.push([`response ${status} ${contentLength}`, ...fields].join(' '))
  }

  onContent(piece: Buffer): boolean {
    this.content += piece.toString('latin1')
    this.events.push(`content ${piece.length}`)
    return this.#isTaking
  }

  onContentEnd(trailers: Fields): void {
    this.events.push(['content-end', ...trailers].join(' '))
  }

  onDrain(): void {
    this.events.push('drain')
  }

  onFailure(failure: ExchangeFailure): void {
    this.failure = failure
    this.events.push(`failure ${failure.code}${failure.isUnprocessed ? ' unprocessed' : ''}`)
  }

  /** Says "enough" to all content from now on. */
  takeNothing(): void {
    this.#isTaking = false
  }

  takeAgain(): void {
    this.#isTaking = true
    this.exchange.resume()
  }
}

const GET: UpstreamRequest = {
  method: 'GET',
  scheme: 'http',
  authority: 'up.test',
  target: '/x?y',
  fields: [],
  contentLength: 0,
  upgrade: undefined,
  takesTrailers: false,
}

/** A connection of ours as the client, and an upstream that writes it frame by frame. */
export class UpstreamScript {
  readonly socket = new MemorySocket()
  readonly sweep = new TestSweep()
  readonly trace = new FrameTrace()
  readonly connection: Http2UpstreamConnection
  error: Http2Error | undefined
  isClosed = false
  /** Why streams were reset. */
  readonly streamErrors: Http2ErrorCode[] = []
  availabilities = 0
  #hasPreface = false

  constructor(options: Partial<Http2UpstreamOptions> = {}) {
    this.connection = new Http2UpstreamConnection({
      ...options,
      socket: this.socket,
      sweep: this.sweep,
      onAvailable: () => this.availabilities++,
      onStreamError: ({ code }) => this.streamErrors.push(code),
      onClose: (error) => {
        this.isClosed = true
        this.error = error
      },
    })
  }

  /** Asks for something, without content unless the method is POST. */
  ask(request: Partial<UpstreamRequest> = {}): Asked {
    const asked = new Asked(this.connection, { ...GET, ...request })
    if (request.method !== 'POST' && request.upgrade === undefined) asked.exchange.end()
    return asked
  }

  /** Sends these and returns the frames that come in answer. */
  async send(...frames: Buffer[]): Promise<string[]> {
    for (const bytes of frames) this.socket.feed(bytes)
    return this.read()
  }

  async read(options?: { windows?: boolean }): Promise<string[]> {
    await turn()
    const bytes = this.socket.takeWritten()
    if (this.#hasPreface || bytes.length === 0) return this.trace.read(bytes, options)
    this.#hasPreface = true
    const preface = bytes.subarray(0, PREFACE.length)
    if (!preface.equals(PREFACE)) return [`no preface but ${preface}`]
    return this.trace.read(bytes.subarray(PREFACE.length), options)
  }

  async pass(ms: number): Promise<string[]> {
    this.sweep.pass(ms)
    return this.read()
  }
}

/** With settings exchanged. */
export async function connectedUpstream(
  options: Partial<Http2UpstreamOptions> = {},
  ...values: [id: number, value: number][]
): Promise<UpstreamScript> {
  const upstream = new UpstreamScript(options)
  await upstream.send(settings(...values), settingsAck)
  return upstream
}
