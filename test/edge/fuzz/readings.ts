import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Fields, RequestHead } from '../../../src/edge/exchange/exchange.ts'
import { ContentReader, type ContentSink } from '../../../src/edge/http1/content-reader.ts'
import { UNTIL_CLOSE } from '../../../src/edge/http1/framing.ts'
import { HeadReader } from '../../../src/edge/http1/head-reader.ts'
import { HeaderSections } from '../../../src/edge/http1/header-sections.ts'
import { type MessageLimits, REQUEST_LIMITS, RESPONSE_LIMITS } from '../../../src/edge/http1/limits.ts'
import { Refusal } from '../../../src/edge/http1/refusal.ts'
import { parseRequestHead } from '../../../src/edge/http1/request-head.ts'
import { parseResponseHead } from '../../../src/edge/http1/response-head.ts'
import { requestHeads } from '../http1/traces.ts'
import { ClientScript } from '../http2/client-script.ts'
import { PREFACE, settings, settingsAck } from '../http2/frames.ts'

/** What was made of the bytes of a connection. The rule that they break may differ with how they come, but not whether. */
export type Reading<M = unknown> = {
  readonly messages: readonly M[]
  readonly end: 'refused' | 'waiting' | 'between messages' | 'last message read'
}

export type ReadMessage = { head: unknown; content: string; trailers?: Fields | undefined }

export type ReadRequest = ReadMessage & {
  readonly head: RequestHead
  readonly contentLength: number
  readonly expectsContinue: boolean
}

/** Reads one message after another, as the connections do. */
class Messages<M extends ReadMessage> implements ContentSink {
  readonly messages: M[] = []
  readonly #heads: HeadReader
  readonly #content: ContentReader
  readonly #begin: (text: string) => { message: M; framing: number; isLast: boolean }
  #isLast = false
  #isBetween = true
  #hasBegun = false

  constructor(
    heads: HeadReader,
    limits: MessageLimits,
    begin: (text: string) => { message: M; framing: number; isLast: boolean },
  ) {
    this.#heads = heads
    this.#content = new ContentReader(limits)
    this.#begin = begin
  }

  read(pieces: readonly Buffer[]): Reading<M> {
    try {
      for (const piece of pieces) this.#read(piece)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      return { messages: this.messages, end: 'refused' }
    }
    if (!this.#isBetween) return { messages: this.messages, end: 'waiting' }
    if (this.#isLast) return { messages: this.messages, end: 'last message read' }
    return { messages: this.messages, end: this.#hasBegun ? 'waiting' : 'between messages' }
  }

  onContent(piece: Buffer): void {
    this.messages.at(-1)!.content += piece.toString('latin1')
  }

  onContentEnd(trailers: Fields): void {
    this.messages.at(-1)!.trailers = trailers
    this.#isBetween = true
  }

  #read(bytes: Buffer): void {
    let at = 0
    while (at < bytes.length && !(this.#isBetween && this.#isLast)) {
      if (this.#isBetween) at = this.#readHead(bytes, at)
      else at = this.#content.read(bytes, at, this)
    }
  }

  #readHead(bytes: Buffer, at: number): number {
    const text = this.#heads.read(bytes, at)
    this.#hasBegun = text === undefined
    if (text === undefined) return bytes.length
    const { message, framing, isLast } = this.#begin(text)
    this.messages.push(message)
    this.#isLast = isLast
    this.#content.begin(framing)
    if (framing === 0) message.trailers = []
    else this.#isBetween = false
    return this.#heads.next
  }
}

export function readRequests(pieces: readonly Buffer[], limits: MessageLimits = REQUEST_LIMITS): Reading<ReadRequest> {
  const sections = new HeaderSections('requests', limits)
  return new Messages<ReadRequest>(requestHeads(limits), limits, (text) => {
    const { request, framing, contentLength, isPersistent, expectsContinue } = parseRequestHead(text, 'http', sections)
    const head = { head: request, contentLength, expectsContinue }
    const message = { ...head, content: '', trailers: undefined }
    return { message, framing, isLast: !isPersistent }
  }).read(pieces)
}

export function readResponses(pieces: readonly Buffer[], method: string): Reading {
  const limits = RESPONSE_LIMITS
  const heads = new HeadReader({
    maxBytes: limits.startLineBytes + limits.fieldBytes,
    maxFirstLineBytes: limits.startLineBytes,
    maxEmptyLines: 0,
    tooLarge: 'fields-too-large',
    firstLineTooLong: 'status-line-malformed',
    malformed: 'status-line-malformed',
  })
  const sections = new HeaderSections('responses', limits)
  return new Messages(heads, limits, (text) => {
    const { framing, ...head } = parseResponseHead(text, method, sections)
    const isLast = !head.isPersistent || framing === UNTIL_CLOSE || head.head.status === 101
    return { message: { head, content: '', trailers: undefined }, framing, isLast }
  }).read(pieces)
}

/** What a server of HTTP/2 hands on of these bytes, which follow the preface, and why it closed, if it did. */
export async function readFrames(pieces: readonly Buffer[]): Promise<unknown> {
  const client = new ClientScript()
  await client.send(PREFACE, settings(), settingsAck)
  for (const piece of pieces) client.socket.feed(piece)
  await nextTurn()
  await client.read()
  const requests = client.served.map(({ exchange, events, content, outcome }) => {
    const { request, contentLength, expectsContinue } = exchange
    // Content comes in as many pieces as the bytes do.
    const others = events.filter((event) => !event.startsWith('content '))
    // Of content that breaks a rule, what came before the fault may have been handed on: the request is over anyway.
    const isWhole = others[0]?.startsWith('content-end') || outcome === undefined
    return { request, contentLength, expectsContinue, others, content: isWhole ? content : undefined, outcome }
  })
  const { error, streamErrors } = client
  return { requests, error: error?.code, streamErrors }
}
