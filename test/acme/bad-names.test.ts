import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AuthorizationError } from '../../src/acme/authorization.ts'
import { badNamesOf } from '../../src/acme/bad-names.ts'
import { AcmeProblemError, parseProblem } from '../../src/acme/problem.ts'

const ERROR = 'urn:ietf:params:acme:error:'
const names = ['a.test', 'www.a.test', 'b.test', '2001:db8::1', '*.c.test']

function refused(type: string, detail: string, subproblems: readonly [type: string, name: string][] = []) {
  const problem = parseProblem({
    type: ERROR + type,
    detail,
    subproblems: subproblems.map(([sub, value]) => ({
      type: ERROR + sub,
      detail: `no ${value}`,
      identifier: { type: 'dns', value },
    })),
  })
  return new AcmeProblemError(problem, { what: 'an order', server: 'ca.test', httpStatus: 400 })
}
const bad = (error: unknown) => badNamesOf(error, names).map(({ name }) => name)

test('subproblems name the names that are to blame (RFC 8555 §6.7.1)', () => {
  const error = refused('malformed', 'some names', [
    ['rejectedIdentifier', 'B.test'],
    ['caa', 'a.test'],
    ['caa', 'stranger.test'],
  ])
  assert.deepEqual(bad(error), ['b.test', 'a.test'])
  assert.equal(badNamesOf(error, names)[0]!.reason, '“no B.test” (rejectedIdentifier)')
})

test('a rate limit, and what a person must do, are no fault of the name', () => {
  for (const type of ['rateLimited', 'userActionRequired'])
    assert.deepEqual(bad(refused('malformed', 'x', [[type, 'a.test']])), [])
})

test('a CA that leaves out a single subproblem names the name in its words, as a word of its own', () => {
  const said = (detail: string) => bad(refused('rejectedIdentifier', detail))
  assert.deepEqual(said('Cannot issue for "www.a.test": policy'), ['www.a.test'])
  assert.deepEqual(said('Cannot issue for a.test.'), ['a.test'])
  assert.deepEqual(said('not for [2001:db8::1]'), ['2001:db8::1'])
  assert.deepEqual(said('not for "*.c.test"'), ['*.c.test'])
  assert.deepEqual(said('not for a.test.example, x-b.test, 2001:db8::12'), [])
  assert.deepEqual(bad(refused('serverInternal', 'looking at a.test, we broke')), [])
})

test('validations that failed are each their name’s', () => {
  const error = new AuthorizationError('ca.test', [
    { name: 'b.test', challengeType: 'http-01', offered: [], status: 'invalid', problem: undefined },
  ])
  assert.deepEqual(badNamesOf(error, names), [{ name: 'b.test', reason: 'its authorization is invalid' }])
  assert.deepEqual(bad(new Error('b.test')), [])
})
