import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { HpackDecoder } from '../../../../src/edge/http2/hpack/decoder.ts'
import { hex, newDecoder, newestEntries } from './bytes.ts'

test('an empty block has no fields', () => {
  assert.deepEqual(newDecoder().decode(hex('')).fields, [])
})

test('names and values are any octets, in the order of the block (RFC 7541 §1.1, §2.1)', () => {
  const octets = Buffer.from([...Array(256).keys()])
  const string = Buffer.concat([hex('7f8101'), octets])
  const block = Buffer.concat([hex('00'), string, string, hex('00000082')])
  const all = octets.toString('latin1')
  assert.deepEqual(newDecoder().decode(block).fields, [all, all, '', '', ':method', 'GET'])
})

test('only a literal with incremental indexing enters the table (RFC 7541 §6.2)', () => {
  const decoder = newDecoder()
  decoder.decode(hex('4001610131 0001620131 1001630131 82 0401 2f'))
  assert.deepEqual(newestEntries(decoder, 1), ['a', '1'])
  assert.throws(() => newestEntries(decoder, 2), { code: 'hpack-index-invalid' })
})

test('a name may be that of an entry which its own insertion evicts (RFC 7541 §4.4)', () => {
  const decoder = newDecoder({ maxTableBytes: 40 })
  assert.deepEqual(decoder.decode(hex('4001610131 7e0132 be')).fields, ['a', '1', 'a', '2', 'a', '2'])
})

test('a size update evicts, and the size holds for the blocks to come (RFC 7541 §4.3)', () => {
  const decoder = newDecoder()
  decoder.decode(hex('4001610131 4001620131'))
  assert.deepEqual(decoder.decode(hex('3f03 be')).fields, ['b', '1']) // 34
  assert.deepEqual(decoder.decode(hex('4001630131')).fields, ['c', '1'])
  assert.throws(() => newestEntries(decoder, 2), { code: 'hpack-index-invalid' })
})

test('a size of 0 and back clears the table (RFC 7541 §4.2)', () => {
  const decoder = newDecoder()
  decoder.decode(hex('4001610131'))
  assert.deepEqual(decoder.decode(hex('20 3fe11f 4001620131')).fields, ['b', '1'])
  assert.throws(() => newestEntries(decoder, 2), { code: 'hpack-index-invalid' })
})

test('an entry larger than the table is a field, and empties it (RFC 7541 §4.4)', () => {
  const decoder = newDecoder({ maxTableBytes: 64 })
  for (const bytes of [32, 126]) {
    const large = `${bytes.toString(16)} ${'62'.repeat(bytes)}`
    assert.deepEqual(decoder.decode(hex(`4001610131 400161 ${large}`)).fields, ['a', '1', 'a', 'b'.repeat(bytes)])
    assert.throws(() => newestEntries(decoder, 1), { code: 'hpack-index-invalid' })
  }
})

test('a field counts its octets and 32 against the limit of the list (RFC 9113 §6.5.2)', () => {
  const block = hex('82 0001610131') // 42 and 34
  const within = newDecoder({ maxListBytes: 76 }).decode(block)
  assert.deepEqual([within.fields, within.isTooLarge], [[':method', 'GET', 'a', '1'], false])
  const beyond = newDecoder({ maxListBytes: 75 }).decode(block)
  assert.deepEqual([beyond.fields, beyond.isTooLarge], [[':method', 'GET'], true])
})

test('after the first field beyond a limit none is collected, however small', () => {
  const { fields, isTooLarge } = newDecoder({ maxListBytes: 100 }).decode(
    hex(`82 000161 3c ${'31'.repeat(60)} 0001610131`),
  )
  assert.deepEqual([fields, isTooLarge], [[':method', 'GET'], true])
})

test('fields are counted too', () => {
  const within = newDecoder({ maxFields: 3 }).decode(hex('828282'))
  assert.deepEqual([within.fields.length, within.isTooLarge], [6, false])
  const beyond = newDecoder({ maxFields: 3 }).decode(hex('82828282'))
  assert.deepEqual([beyond.fields.length, beyond.isTooLarge], [6, true])
})

/** The table after a block that exceeds every limit, with `block` at its end. */
function tableAfter(block: string, options: Parameters<typeof newDecoder>[0] = {}): HpackDecoder {
  const decoder = newDecoder({ maxListBytes: 100, maxFields: 2, ...options })
  decoder.decode(hex('4001610131'))
  const { fields, isTooLarge } = decoder.decode(hex(`82 82 82 ${block}`))
  assert.equal(isTooLarge, true)
  assert.ok(fields.length <= 4)
  return decoder
}

test('beyond the limits the table keeps in step (RFC 9113 §4.3)', () => {
  const inserted = tableAfter('4001620132 7e0133 0001630133')
  assert.deepEqual(newestEntries(inserted, 3), ['b', '3', 'b', '2', 'a', '1'])
  const huffman = tableAfter('40 81 1f 82 25a8 ')
  assert.deepEqual(newestEntries(huffman, 2).slice(0, 1), ['a'])
})

test('beyond the limits a field that is too large for the table empties it', () => {
  for (const block of [
    `400162 7fe11f ${'32'.repeat(4192)}`,
    `40 7fe11f ${'32'.repeat(4192)} 0133`,
    `400162 ff8113 ${'00'.repeat(2560)}`,
  ])
    assert.throws(() => newestEntries(tableAfter(block), 1), { code: 'hpack-index-invalid' })
})

test('beyond the limits an entry as large as the table is kept', () => {
  const decoder = tableAfter(`400162 7fe01e ${'32'.repeat(4063)}`)
  // Too large to be collected, but there: otherwise this throws.
  assert.equal(decoder.decode(hex('be')).isTooLarge, true)
  assert.deepEqual(decoder.decode(hex('7e0133')).fields, ['b', '3'])
})

test('the limits hold for each block by itself', () => {
  const decoder = newDecoder({ maxFields: 2 })
  assert.equal(decoder.decode(hex('828282')).isTooLarge, true)
  const { fields, isTooLarge } = decoder.decode(hex('8282'))
  assert.deepEqual([fields.length, isTooLarge], [4, false])
})

/** As much as one HEADERS frame and three CONTINUATION frames of the default size hold (RFC 9113 §6.5.2). */
const BOMB_BYTES = 64 * 1024
/** CPU time, a hundred times what the slowest takes; what copied would take seconds. */
const MAX_BOMB_MS = 200

/** A decoder with the limits of the proxy, whose table holds one entry of its whole size. */
function loadedDecoder(): HpackDecoder {
  const decoder = newDecoder({ maxListBytes: 32 * 1024, maxFields: 100 })
  const value = '62'.repeat(4096 - 33)
  assert.deepEqual(decoder.decode(hex(`400161 7fe01e ${value}`)).isTooLarge, false)
  return decoder
}

function repeated(pattern: string): Buffer {
  const octets = hex(pattern)
  return Buffer.alloc(Math.floor(BOMB_BYTES / octets.length) * octets.length, octets)
}

for (const [name, block] of [
  ['one-octet references to an entry of 4,096 (CVE-2026-49975)', repeated('be')],
  ['references to the static table', repeated('82')],
  ['insertions that take their name from a large entry', repeated('7e00')],
  ['insertions of the smallest entries', repeated('400000')],
  ['insertions with a name and a value', repeated('4001610131')],
  ['literals that are not indexed', repeated('0001610131')],
  ['literals of a Huffman code', repeated('0081 1f 81 1f')],
  ['one Huffman-encoded string', Buffer.concat([hex('40811f ff81fd03'), Buffer.alloc(65_280)])],
] as const) {
  test(`a bomb is decoded in time and within the limits: ${name}`, () => {
    const decoder = loadedDecoder()
    const before = process.cpuUsage()
    const { fields, isTooLarge } = decoder.decode(block)
    const { user, system } = process.cpuUsage(before)
    const elapsed = (user + system) / 1000
    assert.equal(isTooLarge, true)
    assert.ok(fields.length <= 200)
    assert.ok(fields.join('').length + 16 * fields.length <= 32 * 1024)
    assert.ok(elapsed < MAX_BOMB_MS, `${elapsed} ms`)
    assert.deepEqual(decoder.decode(hex('82')).fields, [':method', 'GET'])
  })
}

test('a reference holds the very string of the entry, so a thousand of them take no room', () => {
  const decoder = loadedDecoder()
  const { fields } = decoder.decode(hex('be'.repeat(7)))
  assert.equal(fields.length, 14)
  const unlimited = newDecoder({ maxListBytes: Number.MAX_SAFE_INTEGER, maxFields: Number.MAX_SAFE_INTEGER })
  unlimited.decode(hex(`400161 7fe01e ${'62'.repeat(4096 - 33)}`))
  const before = process.memoryUsage().heapUsed
  const many = unlimited.decode(repeated('be')).fields
  const grown = process.memoryUsage().heapUsed - before
  assert.equal(many.length, 2 * BOMB_BYTES)
  assert.ok(grown < 16 * 1024 * 1024, `${grown} octets for what would be ${BOMB_BYTES * 4096}`)
})
