import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatFacts, formatTable } from '../../src/cli/table.ts'

test('columns are as wide as what is in them, and nothing trails', () => {
  const table = formatTable(
    ['NAME', 'KEY', 'NEXT'],
    [{ cells: ['a.test', 'rsa-2048', 'now'] }, { cells: ['b', '-', ''] }],
  )
  assert.equal(table, 'NAME    KEY       NEXT\na.test  rsa-2048  now\nb       -\n')
})

test('text in the last column is broken at words to fit 100 columns, under its own beginning', () => {
  const text = Array.from({ length: 40 }, (_, index) => `word${index}`).join(' ')
  const lines = formatTable(['NAME', 'BECAUSE'], [{ cells: ['a.test', text] }])
    .trimEnd()
    .split('\n')
  assert.ok(lines.length > 3)
  for (const line of lines) assert.ok(line.length <= 100, line)
  for (const line of lines.slice(2)) assert.match(line, /^ {8}word/)
  assert.equal(
    lines
      .slice(1)
      .map((line) => line.slice(8))
      .join(' '),
    text,
  )
})

test('a name that is wider than the table is shown whole', () => {
  const name = `${'a'.repeat(63)}.${'b'.repeat(63)}.test`
  assert.match(
    formatTable(['NAME', 'NEXT'], [{ cells: [name, 'renew 2027-01-22'] }]),
    new RegExp(`\n${name}  renew 2027-01-22\n`),
  )
})

test('a word that is longer than a line has one of its own', () => {
  const url = `https://ca.example/${'x'.repeat(120)}`
  assert.equal(formatFacts([['why', `see ${url} now`]]), `why  see\n     ${url}\n     now\n`)
})

test('notes stand below their row, indented and broken', () => {
  const note = 'failed twice '.repeat(12).trim()
  const lines = formatTable(['NAME', 'NEXT'], [{ cells: ['a', 'now'], notes: [note, 'short'] }])
    .trimEnd()
    .split('\n')
  assert.equal(lines.length, 5)
  for (const line of lines.slice(2)) assert.match(line, /^ {4}\S/)
  for (const line of lines) assert.ok(line.length <= 100)
})

test('what a CA or a file says gives no orders to a terminal and makes no lines', () => {
  const hostile = 'a\u001b[2J\nb\u202ec'
  const shown = [
    formatTable(['N', 'X'], [{ cells: [hostile, hostile], notes: [hostile] }]),
    formatFacts([['x', hostile]]),
  ]
  for (const text of shown) assert.doesNotMatch(text.replaceAll('\n', ''), /[\p{Cc}\p{Bidi_Control}]/u)
  assert.equal(shown[0]!.split('\n').length, 4)
})
