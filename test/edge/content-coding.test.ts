import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chooseCoding, codingChooser } from '../../src/edge/content-coding.ts'

const OFFERED = ['zstd', 'br', 'gzip'] as const

// RFC 9110 §12.5.3.
for (const [value, expected] of [
  ['gzip, deflate, br, zstd', 'zstd'],
  ['gzip, deflate, br', 'br'],
  ['gzip;q=1.0, br;q=0.5', 'gzip'],
  ['gzip;q=0.501, br;q=0.5', 'gzip'],
  ['GZIP', 'gzip'],
  ['x-gzip', 'gzip'],
  ['x-gzip;q=0, gzip', 'gzip'],
  ['deflate', undefined],
  ['', undefined],
  ['identity', undefined],
  ['identity;q=0', undefined],
  ['identity;q=0, *', 'zstd'],
  ['*', 'zstd'],
  ['*;q=0', undefined],
  ['*;q=0, gzip;q=0.1', 'gzip'],
  ['*, zstd;q=0', 'br'],
  ['identity, gzip', 'gzip'],
  ['identity;q=1, gzip;q=0.5', undefined],
  ['identity;q=0.5, gzip;q=0.5', 'gzip'],
  ['gzip;q=0', undefined],
  ['gzip;q=0.000', undefined],
  ['gzip;q=0.001', 'gzip'],
  ['gzip ; Q=1', 'gzip'],
  ['gzip;level=9;q=0.3', 'gzip'],
  ['gzip;q=', undefined],
  ['gzip;q=1.001', undefined],
  ['gzip;q=-1', undefined],
  ['gzip;q=0.1234', undefined],
  ['gzip;q=NaN, br;q=0.1', 'br'],
  [',,, ,gzip,,', 'gzip'],
  ['gzip;q=0.2, gzip;q=0.8, br;q=0.5', 'gzip'],
  ['__proto__, constructor', undefined],
] as const)
  test(`Accept-Encoding: ${value || '(empty)'} gets ${expected ?? 'the content as it is'}`, () =>
    assert.equal(chooseCoding(value, OFFERED), expected))

test('only what is offered is chosen, in the order of the operator', () => {
  assert.equal(chooseCoding('gzip, br, zstd', ['gzip', 'br']), 'gzip')
  assert.equal(chooseCoding('zstd', ['gzip', 'br']), undefined)
})

test('a request without the field gets the content as it is, and several fields are one', () => {
  const choose = codingChooser(OFFERED)
  assert.equal(choose(['Accept', '*/*']), undefined)
  assert.equal(choose(['accept-encoding', 'gzip', 'ACCEPT-ENCODING', 'br']), 'br')
})

test('clients that invent values cost no more memory than so many', () => {
  const choose = codingChooser(OFFERED)
  for (let index = 0; index < 2000; index++) assert.equal(choose(['Accept-Encoding', `gzip, x-${index}`]), 'gzip')
  assert.equal(choose(['Accept-Encoding', `gzip;q=0, ${'x'.repeat(5000)}, br`]), 'br')
})
