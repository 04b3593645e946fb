import type { CompressPolicy } from '../../policy.ts'
import { type ContentCoding, codingChooser } from '../content-coding.ts'
import {
  type Exchange,
  type Fields,
  type Outcome,
  type RequestReceiver,
  type ResponseHead,
  UNKNOWN_LENGTH,
} from '../exchange/exchange.ts'
import { WrappedExchange } from '../exchange/wrapped-exchange.ts'
import { fieldValue, hasField } from '../fields.ts'
import type { Compressor, CompressorOwner, Compressors } from './compressor.ts'
import type { Middleware } from './middleware.ts'

/**
 * Compresses responses for clients that take it (RFC 9110 §8.4), by what they prefer. Not those that are compressed already
 * or of another type, are tiny or part of something, or say that they are to stay as they are; nor what is no HTTP content.
 * A strong entity tag becomes a weak one, as in nginx: what it named byte by byte is not what the client gets (§8.8.1).
 */
export function compress(settings: CompressPolicy, compressors: Compressors): Middleware {
  const settled: Settled = {
    minBytes: settings.minBytes,
    isType: typeMatcher(settings.types),
    choose: codingChooser(settings.encodings),
    compressors,
  }
  return (next) => (exchange, facts) => next(new CompressedExchange(exchange, settled), facts)
}

type Settled = {
  readonly minBytes: number
  readonly isType: (type: string) => boolean
  readonly choose: (fields: Fields) => ContentCoding | undefined
  readonly compressors: Compressors
}

class CompressedExchange extends WrappedExchange implements RequestReceiver, CompressorOwner {
  readonly #settled: Settled
  #receiver: RequestReceiver | undefined
  #compressor: Compressor | undefined
  #trailers: Fields | undefined

  constructor(inner: Exchange, settled: Settled) {
    super(inner)
    this.#settled = settled
  }

  override receive(receiver: RequestReceiver): void {
    this.#receiver = receiver
    this.inner.receive(this)
  }

  override respond(head: ResponseHead, contentLength: number): void {
    const { request } = this
    const settled = this.#settled
    if (head.status === 304) return this.inner.respond(notModified(head, request.fields), contentLength)
    if (request.upgrade !== undefined || !isCompressible(head, contentLength, settled))
      return this.inner.respond(head, contentLength)
    const varied = withVary(head.fields)
    const coding = hasField(request.fields, 'range') ? undefined : settled.choose(request.fields)
    if (coding !== undefined && request.method !== 'HEAD') this.#compressor = settled.compressors.open(coding, this)
    if (coding === undefined || (this.#compressor === undefined && request.method !== 'HEAD'))
      return this.inner.respond({ ...head, fields: varied }, contentLength)
    this.inner.respond({ ...head, fields: codedFields(varied, coding) }, UNKNOWN_LENGTH)
  }

  override write(piece: Buffer): boolean {
    return this.#compressor === undefined ? this.inner.write(piece) : this.#compressor.write(piece)
  }

  override end(trailers?: Fields): void {
    if (this.#compressor === undefined) return this.inner.end(trailers)
    this.#trailers = trailers
    this.#compressor.end()
  }

  override abort(): void {
    this.#close()
    this.inner.abort()
  }

  // What the compressor tells.

  onCompressed(piece: Buffer): boolean {
    return this.inner.write(piece)
  }

  onCompressorDrain(): void {
    this.#receiver?.onDrain()
  }

  onCompressedEnd(): void {
    this.#compressor = undefined
    this.inner.end(this.#trailers)
  }

  onCompressorFault(): void {
    this.#compressor = undefined
    this.inner.abort()
  }

  // What the client does.

  onContent(piece: Buffer): boolean {
    return this.#receiver!.onContent(piece)
  }

  onContentEnd(trailers: Fields): void {
    this.#receiver!.onContentEnd(trailers)
  }

  onDrain(): void {
    if (this.#compressor === undefined) this.#receiver!.onDrain()
    else this.#compressor.resume()
  }

  onEnd(outcome: Outcome): void {
    this.#close()
    this.#receiver!.onEnd(outcome)
  }

  #close(): void {
    this.#compressor?.close()
    this.#compressor = undefined
  }
}

/** A digest (RFC 9530 §2, §3) or checksum of the content would be wrong of another coding. */
const NOT_WITH = ['content-encoding', 'content-range', 'content-digest', 'repr-digest', 'digest', 'content-md5']

/** gRPC compresses its messages itself, and has trailers that say how the call went. */
const GRPC = 'application/grpc'

function isCompressible(
  { status, fields }: ResponseHead,
  contentLength: number,
  { minBytes, isType }: Settled,
): boolean {
  // §15.3.6, §15.3.7: no content, and a part of it.
  if (status < 200 || status === 204 || status === 205 || status === 206) return false
  if (contentLength !== UNKNOWN_LENGTH && contentLength < minBytes) return false
  const type = mediaType(fields)
  if (type === undefined || type.startsWith(GRPC) || !isType(type)) return false
  return !NOT_WITH.some((name) => hasField(fields, name)) && mayBeTransformed(fields)
}

function mediaType(fields: Fields): string | undefined {
  const value = fieldValue(fields, 'content-type')
  return value?.split(';', 1)[0]?.trim().toLowerCase()
}

/** RFC 9111 §5.2.2.6. */
function mayBeTransformed(fields: Fields): boolean {
  for (let at = 0; at < fields.length; at += 2)
    if (fields[at]!.toLowerCase() === 'cache-control' && /(?:^|[\s,])no-transform(?:$|[\s,])/i.test(fields[at + 1]!))
      return false
  return true
}

/** One expression for all types, of which `*` stands for anything within a part. */
function typeMatcher(types: readonly string[]): (type: string) => boolean {
  const patterns = types.map((type) => type.replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`).replaceAll('*', '[^/]*'))
  const expression = new RegExp(`^(?:${patterns.join('|')})$`)
  return (type) => expression.test(type)
}

/** RFC 9110 §12.5.5: the next client may get it otherwise, also where this one gets it as it is. */
function withVary(fields: Fields): Fields {
  let last: number | undefined
  for (let at = 0; at < fields.length; at += 2) {
    if (fields[at]!.toLowerCase() !== 'vary') continue
    const names = fields[at + 1]!.split(',').map((name) => name.trim().toLowerCase())
    if (names.includes('*') || names.includes('accept-encoding')) return fields
    last = at + 1
  }
  if (last === undefined) return [...fields, 'Vary', 'Accept-Encoding']
  const former = fields[last]!.trim()
  return fields.with(last, former === '' ? 'Accept-Encoding' : `${former}, Accept-Encoding`)
}

/** Parts of what is compressed as it is sent cannot be asked for (§14.3). */
function codedFields(fields: Fields, coding: ContentCoding): Fields {
  const coded: string[] = []
  for (let at = 0; at < fields.length; at += 2) {
    const name = fields[at]!.toLowerCase()
    if (name === 'accept-ranges') continue
    coded.push(fields[at]!, name === 'etag' ? weakened(fields[at + 1]!) : fields[at + 1]!)
  }
  coded.push('Content-Encoding', coding)
  return coded
}

function weakened(tag: string): string {
  return tag.startsWith('"') ? `W/${tag}` : tag
}

/** A client that asks by the weakened tag is told that one again, so that it finds what it has stored (RFC 9111 §4.3.4). */
function notModified(head: ResponseHead, requestFields: Fields): ResponseHead {
  const tag = fieldValue(head.fields, 'etag')
  if (tag === undefined || !fieldValue(requestFields, 'if-none-match')?.includes(weakened(tag))) return head
  const fields = head.fields.map((text, at) =>
    at % 2 === 1 && head.fields[at - 1]!.toLowerCase() === 'etag' ? weakened(text) : text,
  )
  return { ...head, fields: withVary(fields) }
}
