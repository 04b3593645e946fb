import assert from 'node:assert/strict'
import { test } from 'node:test'
import { carelessReading, isNotable, normalizePath } from '../../src/uri/path.ts'

for (const [written, normal] of [
  ['/', '/'],
  ['/a/b', '/a/b'],
  ['/a/b/', '/a/b/'],
  ['//a///b', '/a/b'],
  ['/./a/./b/.', '/a/b/'],
  ['/a/../b', '/b'],
  ['/a/b/..', '/a/'],
  ['/../../a', '/a'],
  ['/..', '/'],
  ['/a/%2e%2E/b', '/b'],
  ['/a/.%2e/b', '/b'],
  ['/%61dmin', '/admin'],
  ['/%7Euser', '/~user'],
  ['/a%2fb', '/a%2Fb'],
  ['/a%2F..%2Fb', '/a%2F..%2Fb'],
  ['/%252e%252e/a', '/%252e%252e/a'],
  ['/100%', '/100%'],
  ['/%zz', '/%zz'],
  ['/caf%c3%a9', '/caf%C3%A9'],
  ['/.well-known/x', '/.well-known/x'],
  ['/a/...', '/a/...'],
  ['/a;b/..;/c', '/a;b/..;/c'],
] as const)
  test(`${written} is normalized to ${normal} (RFC 3986 §6.2.2)`, () => {
    assert.equal(normalizePath(written), normal)
    assert.equal(normalizePath(normal), normal, 'and stays so')
  })

test('a plain path is not looked at twice', () => {
  for (const path of ['/', '/a', '/a/b.c/d-e_f~g', '/a/b/', "/a!$&'()*+,=:@"])
    assert.equal(isNotable(path), false, path)
  for (const path of ['/a%20', '/a//b', '/.a', '/a;b', '/a\\b']) assert.equal(isNotable(path), true, path)
})

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
  ['/a%C3%A9', '/a%C3%A9'],
] as const)
  test(`a careless server may read ${path} as ${reading}`, () => {
    assert.equal(carelessReading(path), reading)
  })
