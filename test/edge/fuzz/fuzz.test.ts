import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { latin1 } from '../http1/bytes.ts'
import { dice } from '../http2/hpack/dice.ts'
import { corpus } from './corpus.ts'
import { ForwardingFuzz } from './forwarding.ts'
import { Http2ForwardingFuzz } from './http2-forwarding.ts'
import { readRequests } from './readings.ts'
import { assertSameAtAnyCut, fuzzSegmentation, KINDS, type Kind } from './segmentation.ts'

// A few hundred cases by chance, the same every time; `npm run fuzz` tries others, as long as one likes.

const CASES = 400

// Before any test, for what is to be done after them is done as soon as no test is left.
const ends: (() => unknown)[] = []
const scope = { after: (end: () => unknown) => ends.push(end) }
const http1 = await ForwardingFuzz.start(scope)
const http2 = await Http2ForwardingFuzz.start(scope)
after(async () => {
  for (const end of ends) await end()
})

test('what is made of bytes does not depend on how they are cut', async () => {
  const kinds = new Set<string>()
  for (let seed = 1; seed <= CASES; seed++) kinds.add((await fuzzSegmentation(seed)).kind)
  assert.deepEqual([...kinds].sort(), Object.keys(KINDS).sort())
})

test('what is forwarded from HTTP/1.1 is the same request to another parser', async () => {
  for (let seed = 1; seed <= CASES; seed++) await http1.fuzz(seed)
})

test('what is forwarded from HTTP/2 is the same request to another parser', async () => {
  for (let seed = 1; seed <= CASES; seed++) await http2.fuzz(seed)
})

for (const { name, kind, found, bytes } of corpus())
  test(`corpus: ${name}: ${found}`, async () => {
    if (kind in KINDS) await assertSameAtAnyCut(kind as Kind, bytes, dice(1), 50)
    else if (kind === 'forwarded') await http1.assertForwarded(bytes)
    else await http2.assertForwarded(JSON.parse(bytes))
  })

test('a reader that depends on how bytes are cut is found out', async () => {
  const bytes = 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n'
  const careless = { read: (pieces: readonly Buffer[]) => readRequests(pieces.slice(0, 1)) }
  const found = (): Promise<void> => assertSameAtAnyCut('requests', bytes, dice(1), 4, careless)
  await assert.rejects(found, /cut at/)
  assert.equal(readRequests([latin1(bytes)]).messages.length, 1)
})
