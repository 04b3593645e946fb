import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DynamicTable } from '../../../../src/edge/http2/hpack/dynamic-table.ts'
import { dice } from './dice.ts'

function contents(table: DynamicTable): string[] {
  return Array.from({ length: table.count }, (_, at) => `${table.name(at + 1)}: ${table.value(at + 1)}`)
}

test('an entry counts its octets and 32 (RFC 7541 §4.1)', () => {
  const table = new DynamicTable(4096)
  table.insert('custom-key', 'custom-header')
  assert.equal(table.bytes, 55)
  table.insert('', '')
  assert.equal(table.bytes, 55 + 32)
})

test('the newest entry comes first, and the oldest ones leave for it (RFC 7541 §2.3.2, §4.4)', () => {
  const table = new DynamicTable(3 * 34)
  for (const name of ['a', 'b', 'c', 'd']) table.insert(name, '1')
  assert.deepEqual(contents(table), ['d: 1', 'c: 1', 'b: 1'])
  table.insert('e', '2'.repeat(34))
  assert.deepEqual(contents(table), [`e: ${'2'.repeat(34)}`, 'd: 1'])
})

test('an entry as large as the table is its only one; a larger one empties it (RFC 7541 §4.4)', () => {
  const table = new DynamicTable(64)
  table.insert('a', '1')
  table.insert('b', '2'.repeat(31))
  assert.deepEqual([table.count, table.bytes], [1, 64])
  table.insert('c', '3'.repeat(32))
  assert.deepEqual([table.count, table.bytes], [0, 0])
})

test('a smaller size evicts, a larger one does not bring back (RFC 7541 §4.3)', () => {
  const table = new DynamicTable(4096)
  for (const name of ['a', 'b', 'c', 'd']) table.insert(name, '1')
  table.resize(2 * 34 + 33)
  assert.deepEqual(contents(table), ['d: 1', 'c: 1'])
  table.resize(4096)
  assert.deepEqual(contents(table), ['d: 1', 'c: 1'])
  table.resize(0)
  assert.deepEqual([table.count, table.bytes, table.maxBytes], [0, 0, 0])
})

test('the same entry may be there twice (RFC 7541 §2.3.2)', () => {
  const table = new DynamicTable(4096)
  table.insert('a', '1')
  table.insert('a', '1')
  assert.deepEqual(contents(table), ['a: 1', 'a: 1'])
})

test('the newest entry is found, or one with its name', () => {
  const table = new DynamicTable(4096)
  for (const value of ['1', '2', '1', '3']) table.insert('a', value)
  table.insert('b', '1')
  assert.deepEqual([table.find('a', '1'), table.find('a', '2'), table.find('b', '1')], [3, 4, 1])
  assert.deepEqual([table.find('a', '4'), table.find('b', '2'), table.find('c', '1')], [-2, -1, 0])
})

test('it behaves as a list whose end is cut off, however it grows and wraps (RFC 7541 §4)', () => {
  const random = dice(2)
  for (let round = 0; round < 50; round++) {
    const table = new DynamicTable(4096)
    let maxBytes = 4096
    let model: string[] = []
    const bytesOf = (): number => model.reduce((sum, entry) => sum + entry.length - 2 + 32, 0)
    for (let step = 0; step < 400; step++) {
      if (random() < 0.02) {
        maxBytes = Math.floor(random() * 4097)
        table.resize(maxBytes)
      } else {
        const value = 'v'.repeat(Math.floor(random() ** 6 * 5000))
        table.insert(String(step), value)
        model.unshift(`${step}: ${value}`)
      }
      if (model[0] !== undefined && bytesOf() > maxBytes && model[0].length + 30 > maxBytes) model = []
      while (bytesOf() > maxBytes) model.pop()
      assert.equal(table.bytes, bytesOf())
    }
    assert.deepEqual(contents(table), model)
  }
})
