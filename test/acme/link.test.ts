import assert from 'node:assert/strict'
import { test } from 'node:test'
import { linksOf } from '../../src/acme/link.ts'

const BASE = 'https://ca.test/certificate/1'

test('finds the targets of a relation among others, whole and relative (RFC 8288 §3)', () => {
  const field =
    '<https://ca.test/dir>;rel="index", <https://ca.test/certificate/1/1>;rel="alternate", </certificate/1/2>; REL=alternate; title="a, b; <c>"'
  assert.deepEqual(linksOf(field, 'alternate', BASE), [
    'https://ca.test/certificate/1/1',
    'https://ca.test/certificate/1/2',
  ])
})

test('finds a relation among several of one link, and only whole words of it', () => {
  assert.deepEqual(linksOf('<a>;rel="up alternate"', 'alternate', BASE), ['https://ca.test/certificate/a'])
  assert.deepEqual(linksOf('<a>;rel="alternates"', 'alternate', BASE), [])
  assert.deepEqual(linksOf('<a>;title="rel=alternate"', 'alternate', BASE), [])
})

test('passes over what is malformed, in time that grows with its length only', () => {
  const hostile = [
    '',
    ';;;,,,',
    '<',
    '<a',
    'a>;rel=alternate',
    '<a>;rel="alternate',
    '<http://[>;rel=alternate',
    '<a>rel=alternate',
  ]
  for (const field of hostile) assert.deepEqual(linksOf(field, 'alternate', BASE), [], field)
  for (const unit of ['<', '<a>;', '<a>; rel="', '<a>;rel=\\"', '<a> ;', '<a>;a="\\'])
    assert.deepEqual(linksOf(unit.repeat(16_384 / unit.length), 'nothing', BASE), [], unit)
})

test('follows at most twenty links, each once', () => {
  const many = Array.from({ length: 500 }, (_, index) => `<${index}>;rel=alternate`).join(',')
  assert.equal(linksOf(many, 'alternate', BASE).length, 20)
  assert.equal(linksOf('<a>;rel=alternate,<a>;rel=alternate', 'alternate', BASE).length, 1)
})
