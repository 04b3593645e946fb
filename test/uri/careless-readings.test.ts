import assert from 'node:assert/strict'
import { test } from 'node:test'
import { carelessReadings } from '../../src/uri/careless-readings.ts'

for (const [path, reading] of [
  ['/a%2Fb', '/a/b'],
  ['/a%5Cb', '/a/b'],
  ['/a\\..\\b', '/b'],
  ['/a/..;/b', '/b'],
  ['/a;x=1/b', '/a/b'],
  ['/%252e%252e/a', '/a'],
  ['/a%252Fb', '/a/b'],
  ['/a%2500.png', '/a'],
  ['/a%00.png', '/a'],
  ['/a%3Fb', '/a'],
  ['/a%23b', '/a'],
  ['/a%20b', '/a b'],
  ['/a%2F..%2Fb', '/a/../b'],
  ['/;%2Fa/b', '/b'],
  ['/a%3F%2F..%2Fb', '/b'],
  ['/a\\\\..\\b', '/a/b'],
  ['/a%u002Fb', '/a/b'],
  ['/a%C0%AFb', '/a/b'],
  ['/a%E0%80%AFb', '/a/b'],
  ['/a%F0%80%80%AFb', '/a/b'],
  ['/a%EF%BC%8Fb', '/a/b'],
  ['/a%E2%88%95b', '/a/b'],
  ['/x/%E2%80%A5/b', '/b'],
  ['/x/.%09./b', '/b'],
  ['/a./b', '/a/b'],
  ['/a%20/b', '/a/b'],
  ['/a::$DATA/b', '/a/b'],
] as const)
  test(`a careless server may read ${path} as ${reading}`, () => {
    assert.ok([...carelessReadings(path)].includes(reading))
  })

test('what no server takes for something else has no other reading', () => {
  for (const path of ['/caf%C3%A9', '/%E4%B8%AD', '/.well-known/x', '/%zz', '/%u12', '/%F7%BF%BF%BF'])
    assert.deepEqual([...carelessReadings(path)], [], path)
})

test('an address in a path has a bounded number of readings, and all of them are told', () => {
  const address = '/to/https%3A%2F%2Fa.test%2Fb%3Fc%3Dd%26e%3Df%2520g%23h'
  assert.ok(![...carelessReadings(address)].includes(undefined))
})

test('a path that is made to have any number of readings has too many, and costs little', () => {
  for (const path of [
    `/%${'25'.repeat(2700)}2f`,
    `/${'%2525252f..;%5c.%3f%23'.repeat(300)}`,
    `${'/x;%2f..'.repeat(1000)}`,
    `/${'a%20%20'.repeat(1000)}\\..\\%00;%3f%23`,
  ]) {
    const readings = [...carelessReadings(path)]
    assert.ok(readings.length <= 257, `${readings.length}`)
    assert.ok(readings.reduce((sum, reading) => sum + (reading?.length ?? 0), 0) <= 64 * 1024)
  }
})
