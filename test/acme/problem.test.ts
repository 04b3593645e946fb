import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AcmeProblemError, describeProblem, isProblem, parseProblem } from '../../src/acme/problem.ts'

const document = {
  type: 'urn:ietf:params:acme:error:rejectedIdentifier',
  detail: 'Some of the identifiers requested were rejected',
  status: 403,
  instance: 'https://ca.test/documents/1',
  subproblems: [
    {
      type: 'urn:ietf:params:acme:error:malformed',
      detail: 'Invalid underscore in DNS name "_example.org"',
      identifier: { type: 'dns', value: '_example.org' },
    },
    {
      type: 'urn:ietf:params:acme:error:rejectedIdentifier',
      detail: 'This CA will not issue for "example.net"',
      identifier: { type: 'dns', value: 'example.net' },
    },
  ],
}

test('keeps type, words, page and the names of subproblems (RFC 8555 §6.7, §6.7.1)', () => {
  const problem = parseProblem(document)
  assert.equal(problem.type, 'rejectedIdentifier')
  assert.equal(problem.detail, document.detail)
  assert.equal(problem.status, 403)
  assert.equal(problem.instance, document.instance)
  assert.deepEqual(
    problem.subproblems.map(({ identifier, type }) => [identifier, type]),
    [
      ['_example.org', 'malformed'],
      ['example.net', 'rejectedIdentifier'],
    ],
  )
})

test('says all of it in one line, in the CA’s own words', () => {
  assert.equal(
    describeProblem(parseProblem(document)),
    '“Some of the identifiers requested were rejected” (rejectedIdentifier) ' +
      '[_example.org: Invalid underscore in DNS name "_example.org"; example.net: This CA will not issue for "example.net"]; ' +
      'see https://ca.test/documents/1',
  )
})

test('an error shows the page to visit and the new terms of userActionRequired (RFC 8555 §7.3.3)', () => {
  const context = {
    what: 'an order',
    server: 'ca.test',
    httpStatus: 403,
    retryAfterMs: 5000,
    terms: 'https://ca.test/tos',
  }
  const error = new AcmeProblemError(
    parseProblem({
      type: 'urn:ietf:params:acme:error:userActionRequired',
      detail: 'Terms have changed',
      instance: 'https://ca.test/agree',
    }),
    context,
  )
  assert.match(
    error.message,
    /ca\.test refused an order: “Terms have changed”.*see https:\/\/ca\.test\/agree.*https:\/\/ca\.test\/tos/,
  )
  assert.equal(error.code, 'acme-problem')
  assert.equal(error.retryAfterMs, 5000)
  assert.ok(isProblem(error, 'userActionRequired'))
  assert.ok(!isProblem(error, 'badNonce'))
  assert.equal(error.transient, false)
})

test('a 500 at newOrder, with the Retry-After that Boulder gives it, is about the CA and waited for', () => {
  const context = { what: 'an order', server: 'ca.test', httpStatus: 500, retryAfterMs: 60_000 }
  const problem = parseProblem({ type: 'urn:ietf:params:acme:error:serverInternal', detail: 'Service busy' })
  const general = new AcmeProblemError(problem, { ...context, isGeneral: true })
  assert.deepEqual([general.concernsCa, general.retryAfterMs, general.transient], [true, 60_000, true])
  assert.equal(
    new AcmeProblemError(problem, context).concernsCa,
    false,
    'a single order may be what it breaks down over',
  )
})

const paused = (detail: string, fields: Record<string, unknown> = {}, retryAfterMs?: number) =>
  new AcmeProblemError(parseProblem({ type: 'urn:ietf:params:acme:error:rateLimited', detail, ...fields }), {
    ...{ what: 'newOrder', server: 'ca.test', httpStatus: 429, retryAfterMs },
  })

test('where a paused name can be unpaused is found in the CA’s words, however long they are', () => {
  const url = `https://portal.letsencrypt.org/sfe/v1/unpause?jwt=${'eyJhbGciOiJIUzI1NiJ9.'.repeat(20)}c2ln`
  const names = Array.from({ length: 100 }, (_, index) => `some-quite-long-name-${index}.example.com`).join(', ')
  for (const detail of [
    `Your account is temporarily prevented. Please visit: ${url}`,
    `Please visit ${url}.`,
    `Please visit <${url}>, or “${url}”`,
    `Your account is temporarily prevented from requesting certificates for ${names}. Please visit: ${url}`,
  ]) {
    const error = paused(detail)
    assert.equal(error.unpauseUrl, url)
    assert.ok(error.message.includes(url))
  }
  assert.equal(paused('Go there', { instance: 'https://ca.test/unpause/1' }).unpauseUrl, 'https://ca.test/unpause/1')
})

test('a rate limit that time lifts, or that names another page, is no pause', () => {
  const page = 'see https://letsencrypt.org/docs/rate-limits/#new-orders-per-account'
  assert.equal(paused(page).unpauseUrl, undefined)
  assert.equal(paused('visit https://ca.test/unpause', {}, 60_000).unpauseUrl, undefined)
  assert.equal(paused('visit http://ca.test/unpause').unpauseUrl, undefined)
  assert.equal(paused('visit https://ca.test/\u001b[2Junpause').unpauseUrl, undefined)
})

test('a rate limit is not waited for within an order, an overload is', () => {
  const error = (httpStatus: number): AcmeProblemError =>
    new AcmeProblemError(parseProblem({}), { what: 'x', server: 's', httpStatus })
  assert.deepEqual(
    [429, 400, 500, 503].map((status) => error(status).transient),
    [false, false, true, true],
  )
})

test('makes something of any JSON, without terminal codes and line breaks and in bounded length', () => {
  const cases: unknown[] = [
    null,
    7,
    'text',
    [],
    {},
    { type: 5, detail: {}, subproblems: 'x' },
    { subproblems: [null, 'x', 7, [], {}] },
  ]
  for (const value of cases) assert.match(describeProblem(parseProblem(value)), /^“no detail given” \(about:blank\)/)
  const hostile = parseProblem({
    detail: `a\u001b[31m\r\nforged\u202e${'x'.repeat(5000)}`,
    type: 'https://ca.test/own',
  })
  assert.match(hostile.detail, /^a \[31m forged x+…$/)
  assert.ok(hostile.detail.length <= 1001)
  assert.equal(hostile.type, 'https://ca.test/own')
})

test('reads a hundred subproblems and no deeper, and shows ten', () => {
  const nested = { detail: 'sub', subproblems: [{ detail: 'deeper' }] }
  const problem = parseProblem({ detail: 'top', subproblems: Array.from({ length: 5000 }, () => nested) })
  assert.equal(problem.subproblems.length, 100)
  assert.deepEqual(problem.subproblems[0]!.subproblems, [])
  assert.match(describeProblem(problem), /(also: sub; ){10}and 90 more\]$/)
})
