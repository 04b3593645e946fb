import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { DynamicTable } from '../../../../src/edge/http2/hpack/dynamic-table.ts'
import { HpackEncoder } from '../../../../src/edge/http2/hpack/encoder.ts'

// A table holds what it counts (RFC 7541 §7.3), and nothing beside that stays in memory.

const MIB = 1024 * 1024

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** What stays in use of that which `fill` makes, as long as its result is in use. */
function retainedBytes(fill: () => object): number {
  collectGarbage()
  const before = process.memoryUsage().heapUsed
  const result = fill()
  collectGarbage()
  const after = process.memoryUsage().heapUsed
  return result === undefined ? 0 : after - before
}

/** Short enough to be kept where it is counted: node keeps strings from about 1 MiB outside of the heap. */
const HEAD_BYTES = MIB / 2
const HEADS = 64

function messageHead(number: number): string {
  return `Server: server number ${number} of many\r\n${Buffer.alloc(HEAD_BYTES, 'x').toString('latin1')}`
}

test('an encoder that indexes a value does not keep the message that it was cut out of', () => {
  const retained = retainedBytes(() => {
    const encoder = new HpackEncoder()
    for (let number = 0; number < HEADS; number++) {
      const value = messageHead(number).slice('Server: '.length).split('\r\n', 1)[0]!
      encoder.encode([], ['server', value], Buffer.alloc(1000), 0)
    }
    return encoder
  })
  assert.ok(retained < 8 * MIB, `${retained} octets`)
})

test('the strings of an entry go with it', () => {
  const retained = retainedBytes(() => {
    const table = new DynamicTable(100 * MIB)
    for (let number = 0; number < HEADS; number++) table.insert('server', messageHead(number))
    table.clear()
    return table
  })
  assert.ok(retained < 8 * MIB, `${retained} octets`)
})
