import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import {
  STATIC_COUNT,
  STATIC_NAME_LIST,
  STATIC_NAMES,
  STATIC_VALUES,
  staticEntries,
} from '../../../../src/edge/http2/hpack/static-table.ts'

test('the entries are those of RFC 7541 Appendix A', () => {
  assert.equal(STATIC_NAMES.length, 1 + STATIC_COUNT)
  assert.equal(STATIC_VALUES.length, 1 + STATIC_COUNT)
  const rows = STATIC_NAMES.map((name, index) => `${index} ${name}: ${STATIC_VALUES[index]}\n`).slice(1)
  // Of its 61 rows, as taken from the text of the RFC.
  assert.equal(
    createHash('sha256').update(rows.join('')).digest('hex'),
    '61b0bff70cf8211a207425393c13bbe63956fdcf3651ea2e2aee7a0e793ea270',
  )
})

test('the entries of a name stand in a row', () => {
  for (const name of STATIC_NAME_LIST) {
    const { firstIndex, values } = staticEntries(name)!
    assert.deepEqual(
      values,
      STATIC_VALUES.filter((_, index) => STATIC_NAMES[index] === name),
    )
    values.forEach((value, at) => {
      assert.deepEqual([STATIC_NAMES[firstIndex + at], STATIC_VALUES[firstIndex + at]], [name, value])
    })
  }
  assert.equal(staticEntries('custom-key'), undefined)
})
