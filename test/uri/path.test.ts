import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isNotable, normalizePath } from '../../src/uri/path.ts'

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
  for (const path of ['/a%20', '/a//b', '/.a', '/a;b', '/a\\b', '/a./b', '/a.', '/a::$DATA'])
    assert.equal(isNotable(path), true, path)
})
