import assert from 'node:assert/strict'
import { once } from 'node:events'
import { sensitiveHeaders } from 'node:http2'
import { type TestContext, test } from 'node:test'
import { HpackEncoder } from '../../../../src/edge/http2/hpack/encoder.ts'
import { FIELD_NAMES } from '../../../../src/edge/http2/hpack/field-names.ts'
import { encoded, newDecoder } from './bytes.ts'
import { dice, pick, text } from './dice.ts'
import { connectNodePeer, exchangeWith, type NodePeer } from './node-peer.ts'

// Our decoder and encoder against nghttp2's, which is in node:http2.

/** Those that node:http2 does not treat as it sees fit, as a field may be about the connection, or stand once only. */
const NAMES = [...FIELD_NAMES.keys()].filter(
  (name) =>
    !name.startsWith(':') &&
    name === name.toLowerCase() &&
    !['content-length', 'expect', 'host', 'te', 'transfer-encoding'].includes(name),
)
const VISIBLE = String.fromCharCode(
  ...Array(0x7f - 0x21)
    .keys()
    .map((at) => 0x21 + at),
)
const OBS_TEXT = String.fromCharCode(
  ...Array(0x80)
    .keys()
    .map((at) => 0x80 + at),
)
const RECURRING = ['0', 'gzip', 'text/html; charset=utf-8', 'no-cache', 'max-age=31536000']

type Headers = Record<string | symbol, string | string[]>

function randomValue(random: () => number): string {
  if (random() < 0.6) return pick(random, RECURRING)
  return text(random, random() < 0.8 ? VISIBLE : OBS_TEXT, random() < 0.02 ? 20_000 : 300)
}

/** Each name once, for node:http2 takes them as an object. */
function randomFields(random: () => number): string[] {
  const names = new Set<string>()
  for (let count = Math.floor(random() * 12); count > 0; count--)
    names.add(random() < 0.8 ? pick(random, NAMES) : `x-${text(random, 'abcxyz-', 30)}`)
  return [...names].flatMap((name) => [name, randomValue(random)])
}

function pseudoHeaders(random: () => number): Headers {
  return {
    ':method': pick(random, ['GET', 'HEAD', 'DELETE']),
    ':authority': pick(random, ['a.test', 'www.example.com']),
    ':scheme': 'https',
    ':path': pick(random, ['/', '/index.html', '/search?q=1', `/${text(random, 'abc/', 200)}`]),
  }
}

function fieldsOf(headers: Headers): string[] {
  return Object.entries(headers).flatMap(([name, value]) => [name, String(value)])
}

type OpenPeer = {
  readonly peer: NodePeer
  /** What the next request is answered with, and what it was. */
  readonly next: { response: string[]; decoded: string[] }
  /** Resolves when the peer has acknowledged our limit, and our decoder knows that. */
  readonly limitTable: (bytes: number) => Promise<void>
}

async function openPeer(t: TestContext, options: { headerTableSize?: number } = {}): Promise<OpenPeer> {
  const [encoder, decoder] = [new HpackEncoder(), newDecoder()]
  const next: OpenPeer['next'] = { response: [], decoded: [] }
  const respond = (block: Buffer): Buffer => {
    next.decoded = decoder.decode(block).fields
    return encoded(encoder, next.response, [':status', '200'])
  }
  const peer = await connectNodePeer({ respond, onTableBytes: (bytes) => encoder.setMaxTableBytes(bytes) }, options)
  t.after(() => peer.close())
  const limitTable = (bytes: number): Promise<void> =>
    new Promise((resolve) =>
      peer.sendTableBytes(bytes, () => {
        decoder.setMaxTableBytes(bytes)
        resolve()
      }),
    )
  return { peer, next, limitTable }
}

/** Exchanges random fields both ways and compares them. */
async function exchangeRandomly({ peer, next }: OpenPeer, random: () => number, times: number): Promise<void> {
  for (let count = 0; count < times; count++) {
    const request = pseudoHeaders(random)
    const fields = randomFields(random)
    const sensitive: string[] = []
    for (let at = 0; at < fields.length; at += 2) {
      request[fields[at]!] = fields[at + 1]!
      if (random() < 0.1) sensitive.push(fields[at]!)
    }
    request[sensitiveHeaders] = sensitive
    next.response = randomFields(random)
    const response = await exchangeWith(peer, request)
    assert.deepEqual(next.decoded, fieldsOf(request))
    assert.deepEqual(response, [':status', '200', ...next.response])
  }
}

test('nghttp2 and we understand each other, on one connection after the other (RFC 7541)', async (t) => {
  for (let seed = 10; seed < 16; seed++) await exchangeRandomly(await openPeer(t), dice(seed), 60)
})

test('our encoder follows every table size of nghttp2 (RFC 7541 §4.2)', async (t) => {
  for (const headerTableSize of [0, 1, 40, 100, 1000, 4095, 4096, 4097, 65_536])
    await exchangeRandomly(await openPeer(t, { headerTableSize }), dice(headerTableSize), 15)
})

test('our encoder follows a table of nghttp2 that shrinks and grows (RFC 7541 §4.2)', async (t) => {
  const random = dice(20)
  const open = await openPeer(t)
  for (const sizes of [[100], [4096], [0, 4096], [300, 50, 2000], [65_536], [0], [1000, 0]]) {
    for (const headerTableSize of sizes) {
      open.peer.session.settings({ headerTableSize })
      await once(open.peer.session, 'localSettings')
    }
    await exchangeRandomly(open, random, 10)
  }
})

test('our decoder takes what nghttp2 makes of every limit (RFC 9113 §4.3.1)', async (t) => {
  const random = dice(30)
  const open = await openPeer(t)
  for (const limits of [[1000], [100], [0], [4096], [0, 4096], [300, 50, 2000], [65_536], [128]]) {
    for (const limit of limits) await open.limitTable(limit)
    await exchangeRandomly(open, random, 10)
  }
})
