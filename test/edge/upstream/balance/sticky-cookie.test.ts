import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cookieValue } from '../../../../src/edge/upstream/balance/cookie.ts'
import { StickyCookie } from '../../../../src/edge/upstream/balance/sticky-cookie.ts'
import { targetsOf } from './targets.ts'

const KEY = Buffer.alloc(32, 7).toString('base64')

test('a cookie is found by its whole name, in whichever field it is', () => {
  const cases: [string[], string | undefined][] = [
    [['Cookie', 'id=1'], '1'],
    [['cookie', 'a=b; id=2; c=d'], '2'],
    [['Cookie', 'a=b', 'Cookie', 'id=3'], '3'],
    [['Cookie', 'xid=1; idx=2; a=id=3'], undefined],
    [['Cookie', 'a=b;id=4'], '4'],
    [['Cookie', 'id='], ''],
    [['X-Cookie', 'id=1'], undefined],
  ]
  for (const [fields, value] of cases) assert.equal(cookieValue(fields, 'id'), value, String(fields))
})

test('its value leads back to the target, and says nothing of it', () => {
  const targets = targetsOf(1, 1)
  const cookie = new StickyCookie('at')
  cookie.use(targets, KEY)
  const field = cookie.fieldFor(targets[1]!, [], 'https')
  assert.match(field ?? '', /^at=[\w-]{22}; Path=\/; HttpOnly; SameSite=Lax; Secure$/)
  assert.doesNotMatch(cookie.fieldFor(targets[1]!, [], 'http') ?? 'Secure', /Secure/)
  const sent = ['Cookie', `at=${targets[1]!.cookie}`]
  assert.equal(cookie.find(sent), targets[1])
  assert.equal(cookie.fieldFor(targets[1]!, sent, 'https'), undefined)
  assert.notEqual(cookie.fieldFor(targets[0]!, sent, 'https'), undefined)
})

test('a value that is forged, or made with another key, is none', () => {
  const targets = targetsOf(1, 1)
  const cookie = new StickyCookie('at')
  cookie.use(targets, KEY)
  const old = targets[0]!.cookie
  for (const value of ['10.0.0.1', 'http://10.0.0.1:80', Buffer.from('10.0.0.1').toString('base64url'), ''])
    assert.equal(cookie.find(['Cookie', `at=${value}`]), undefined)
  cookie.use(targets, Buffer.alloc(32, 8).toString('base64'))
  assert.equal(cookie.find(['Cookie', `at=${old}`]), undefined)
})
