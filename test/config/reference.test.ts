import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { formatReference } from '../../src/config/reference.ts'

test('docs/config.md is current (npm run schema)', async () => {
  assert.equal(await readFile(new URL('../../docs/config.md', import.meta.url), 'utf8'), formatReference())
})

test('each key has a type and words, and a default where it has one', () => {
  const rows = formatReference()
    .split('\n')
    .filter((line) => line.startsWith('| `'))
  assert.ok(rows.length > 100)
  for (const row of rows) {
    const [, key = '', type, , words] = row.split(/(?<!\\)\|/).map((part) => part.trim())
    assert.notEqual(type, '', key)
    if (!key.includes('NAME')) assert.notEqual(words, '', key)
  }
  assert.ok(rows.some((row) => row.startsWith('| `timeouts.idle` | text such as `90s` | `75s` | ')))
  assert.ok(rows.some((row) => row.startsWith('| `sites.NAME.routes[].stripPrefix` | text')))
  assert.ok(rows.some((row) => row.startsWith('| `limits.connections` | a number from 1 to 1000000')))
})
