import assert from 'node:assert/strict'
import type { RequestHead } from '../../../src/edge/exchange/exchange.ts'
import { ContentReader } from '../../../src/edge/http1/content-reader.ts'
import type { Framing } from '../../../src/edge/http1/framing.ts'
import { HeadReader } from '../../../src/edge/http1/head-reader.ts'
import { HeaderSections } from '../../../src/edge/http1/header-sections.ts'
import { type MessageLimits, REQUEST_LIMITS, RESPONSE_LIMITS } from '../../../src/edge/http1/limits.ts'
import { Refusal } from '../../../src/edge/http1/refusal.ts'
import { type ParsedRequest, parseRequestHead } from '../../../src/edge/http1/request-head.ts'
import { type ParsedResponse, parseResponseHead } from '../../../src/edge/http1/response-head.ts'
import { everyCut } from './bytes.ts'

/** A head, or the code of the rule that it breaks; undefined if more must come. */
type Read<T> = { readonly head: T; readonly rest: string } | string | undefined

function refusalCode(work: () => void): string | undefined {
  try {
    work()
    return undefined
  } catch (error) {
    if (error instanceof Refusal) return error.code
    throw error
  }
}

/** Reads a head from pieces, and collects what follows it. */
function readHead<T>(reader: HeadReader, pieces: readonly Buffer[], parse: (text: string) => T): Read<T> {
  let head: T | undefined
  let rest = ''
  const code = refusalCode(() => {
    for (const piece of pieces) {
      const text = head === undefined ? reader.read(piece, 0) : undefined
      if (text !== undefined) {
        head = parse(text)
        rest = piece.toString('latin1', reader.next)
      } else if (head !== undefined) rest += piece.toString('latin1')
    }
  })
  return code ?? (head === undefined ? undefined : { head, rest })
}

/** The same answer however the bytes are cut. */
function readEveryCut<T>(text: string, read: (pieces: readonly Buffer[]) => T): T {
  let answer: { readonly value: T } | undefined
  for (const pieces of everyCut(text)) {
    const value = read(pieces)
    if (answer !== undefined)
      assert.deepEqual(value, answer.value, `cut into ${pieces.length}, at ${pieces[0]?.length}`)
    answer = { value }
  }
  return answer!.value
}

export function readRequest(
  text: string,
  limits: MessageLimits = REQUEST_LIMITS,
  scheme: RequestHead['scheme'] = 'http',
): Read<ParsedRequest> {
  return readEveryCut(text, (pieces) =>
    readHead(requestHeads(limits), pieces, (head) =>
      parseRequestHead(head, scheme, new HeaderSections('requests', limits)),
    ),
  )
}

export function requestHeads(limits: MessageLimits = REQUEST_LIMITS): HeadReader {
  return new HeadReader({
    maxBytes: limits.startLineBytes + limits.fieldBytes,
    maxFirstLineBytes: limits.startLineBytes,
    maxEmptyLines: 4,
    tooLarge: 'fields-too-large',
    firstLineTooLong: 'request-line-too-long',
    malformed: 'request-line-malformed',
  })
}

export function readResponse(text: string, method = 'GET'): Read<ParsedResponse> {
  const heads = (): HeadReader =>
    new HeadReader({
      maxBytes: RESPONSE_LIMITS.startLineBytes + RESPONSE_LIMITS.fieldBytes,
      maxFirstLineBytes: RESPONSE_LIMITS.startLineBytes,
      maxEmptyLines: 0,
      tooLarge: 'fields-too-large',
      firstLineTooLong: 'status-line-malformed',
      malformed: 'status-line-malformed',
    })
  return readEveryCut(text, (pieces) =>
    readHead(heads(), pieces, (head) =>
      parseResponseHead(head, method, new HeaderSections('responses', RESPONSE_LIMITS)),
    ),
  )
}

/** The request that these bytes are, which must be one. */
export function acceptedRequest(text: string): ParsedRequest {
  const read = readRequest(text)
  if (typeof read !== 'object') assert.fail(`not accepted: ${read}`)
  return read.head
}

export function acceptedResponse(text: string, method?: string): ParsedResponse {
  const read = readResponse(text, method)
  if (typeof read !== 'object') assert.fail(`not accepted: ${read}`)
  return read.head
}

export type ReadContent = {
  readonly content: string
  /** undefined while more must come, or where it was refused. */
  readonly trailers: readonly string[] | undefined
  readonly rest: string
  readonly refused: string | undefined
}

/** Reads content with every cut of its bytes; what a piece is cut into must not matter. */
export function readContent(text: string, framing: Framing, limits: MessageLimits = REQUEST_LIMITS): ReadContent {
  return readEveryCut(text, (pieces) => {
    const reader = new ContentReader(limits)
    let content = ''
    let rest = ''
    let trailers: readonly string[] | undefined
    const sink = {
      onContent: (piece: Buffer) => {
        content += piece.toString('latin1')
      },
      onContentEnd: (fields: readonly string[]) => {
        assert.equal(trailers, undefined, 'it ended twice')
        trailers = fields
      },
    }
    reader.begin(framing)
    const refused = refusalCode(() => {
      for (const piece of pieces) {
        const next = reader.isComplete ? 0 : reader.read(piece, 0, sink)
        rest += piece.toString('latin1', next)
      }
    })
    assert.equal(reader.isComplete && refused === undefined, trailers !== undefined)
    return { content, trailers, rest, refused }
  })
}
