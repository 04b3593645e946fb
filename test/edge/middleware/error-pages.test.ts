import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { prefersJson } from '../../../src/edge/error-answers.ts'
import type { RouteSnapshot, SiteSnapshot } from '../../../src/edge/snapshot.ts'
import type { ErrorsPolicy, Policy } from '../../../src/policy.ts'
import { ask, PROTOCOLS } from '../ask.ts'
import { FIRST_REQUEST_ID, plainPolicy, type Served, serve, siteOf, startUpstream } from '../serve.ts'

const PAGES = {
  '/lost.html': '<h1>Lost: {status}</h1><p>{requestId} {unknown} {status}</p>',
  '/sorry.html': 'Es tut uns leid – {requestId}',
  '/other.html': 'Other: {status}',
}
const ERRORS: ErrorsPolicy = {
  byStatus: [
    { status: 404, page: '/lost.html' },
    { status: 502, page: '/sorry.html' },
  ],
  otherwise: '/other.html',
  intercept: [],
}
const POLICY: Policy = { ...plainPolicy, errors: ERRORS }
const NOWHERE = { scheme: 'unix', path: '/nonexistent/socket' } as const

async function served(
  t: TestContext,
  site: Partial<SiteSnapshot>,
  protocol: (typeof PROTOCOLS)[number] = 'http/1.1',
): Promise<Served> {
  const proxy = await serve([siteOf(NOWHERE, { policy: POLICY, ...site })], { protocol, pages: PAGES })
  t.after(() => proxy.close())
  return proxy
}

for (const protocol of PROTOCOLS) {
  test(`${protocol}: an upstream that is not there is answered with the page of the site`, async (t) => {
    const proxy = await served(t, {}, protocol)
    const told = await ask(proxy.port, protocol)
    assert.deepEqual([told.status, told.content.toString()], [502, `Es tut uns leid – ${FIRST_REQUEST_ID}`])
    assert.equal(told.fields['content-type'], 'text/html; charset=utf-8')
    assert.equal(told.fields['cache-control'], 'no-store')
    assert.equal(told.fields['content-length'], String(told.content.length))
    assert.equal(proxy.accesses[0]?.why, 'upstream-unreachable')
  })

  test(`${protocol}: HEAD gets the same fields and no content`, async (t) => {
    const proxy = await served(t, {}, protocol)
    const told = await ask(proxy.port, protocol, { method: 'HEAD' })
    assert.deepEqual([told.status, told.content.length], [502, 0])
    assert.equal(told.fields['content-length'], String(Buffer.byteLength(`Es tut uns leid – ${FIRST_REQUEST_ID}`)))
  })

  test(`${protocol}: a program that asks for JSON gets status and request id, with pages of one's own and without`, async (t) => {
    for (const policy of [POLICY, plainPolicy]) {
      const proxy = await served(t, { policy }, protocol)
      const told = await ask(proxy.port, protocol, { fields: ['Accept', 'application/json, text/plain, */*'] })
      assert.equal(told.fields['content-type'], 'application/json')
      assert.deepEqual(JSON.parse(told.content.toString()), {
        status: 502,
        error: 'Bad Gateway',
        requestId: FIRST_REQUEST_ID,
      })
    }
  })

  test(`${protocol}: statuses of the application that are named are replaced, and no others`, async (t) => {
    const app = await startUpstream((request, response) => {
      response.writeHead(Number(request.url!.slice(1)), {
        'Content-Type': 'text/plain',
        'Retry-After': '30',
        'Set-Cookie': 'a=1',
        ETag: '"x"',
      })
      response.end('the app itself'.repeat(10_000))
    })
    const policy = { ...POLICY, errors: { ...ERRORS, intercept: [502, 503] } }
    const proxy = await served(t, siteOf(app.address, { policy }), protocol)
    t.after(() => app.close())
    for (const method of ['GET', 'HEAD']) {
      const replaced = await ask(proxy.port, protocol, { path: '/503', method })
      assert.equal(replaced.content.toString(), method === 'HEAD' ? '' : 'Other: 503')
      assert.equal(replaced.fields['content-length'], '10')
      assert.deepEqual([replaced.status, replaced.fields['retry-after'], replaced.fields.etag], [503, '30', undefined])
      assert.equal(replaced.fields['set-cookie'], undefined)
    }
    const own = await ask(proxy.port, protocol, { path: '/404' })
    assert.deepEqual([own.status, own.content.length], [404, 140_000])
  })
}

test('what no route takes is a 404 with its page, and a method that none takes has the one for all others', async (t) => {
  const route: RouteSnapshot = {
    path: '/form',
    methods: ['POST'],
    headers: [],
    concurrency: undefined,
    action: { type: 'respond', status: 204, fields: [], body: '' },
    stripPrefix: undefined,
    policy: plainPolicy,
  }
  const proxy = await served(t, { action: { type: 'none' }, routes: [route] })
  const lost = await ask(proxy.port, 'http/1.1', { path: '/nowhere' })
  assert.equal(lost.content.toString(), `<h1>Lost: 404</h1><p>${FIRST_REQUEST_ID} {unknown} 404</p>`)
  const refused = await ask(proxy.port, 'http/1.1', { path: '/form' })
  assert.deepEqual([refused.status, refused.fields.allow, refused.content.toString()], [405, 'POST', 'Other: 405'])
  const ambiguous = await ask(proxy.port, 'http/1.1', { path: '/x/..;/form' })
  assert.match(ambiguous.content.toString(), /^(?:Other: 400|<h1>Lost: 404)/)
})

test('a body that is too large is refused with the page, announced or not', async (t) => {
  const app = await startUpstream((request) => request.resume())
  const proxy = await served(t, siteOf(app.address, { policy: { ...POLICY, maxBodyBytes: 5 } }))
  t.after(() => app.close())
  const announced = await ask(proxy.port, 'http/1.1', { method: 'POST', content: '0123456789' })
  assert.deepEqual([announced.status, announced.content.toString()], [413, 'Other: 413'])
  const chunked = await ask(proxy.port, 'http/1.1', {
    method: 'POST',
    fields: ['Transfer-Encoding', 'chunked', 'X-End', '1\r\n\r\na\r\n0123456789\r\n0\r\n'],
  })
  assert.deepEqual([chunked.status, chunked.content.toString()], [413, 'Other: 413'])
})

test('a request id that the client chose stands on the page, and can be no markup', async (t) => {
  const proxy = await served(t, {})
  const chosen = await ask(proxy.port, 'http/1.1', { fields: ['X-Request-Id', 'mine-1.x'] })
  assert.match(chosen.content.toString(), /mine-1\.x$/)
  const hostile = await ask(proxy.port, 'http/1.1', { fields: ['X-Request-Id', '<script>'] })
  assert.doesNotMatch(hostile.content.toString(), /script/)
})

for (const [accept, expected] of [
  [[], false],
  [['*/*'], false],
  [['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'], false],
  [['application/json'], true],
  [['APPLICATION/JSON ; q=0.5'], true],
  [['application/problem+json'], true],
  [['application/json;q=0'], false],
  [['application/json;q=2'], false],
  [['application/json;q=0.5, text/html'], false],
  [['text/html;q=0.5', 'application/json;q=0.6'], true],
  [[',,;;q=,='], false],
] as const)
  test(`Accept ${JSON.stringify(accept)} asks for ${expected ? 'JSON' : 'a page'}`, () => {
    assert.equal(prefersJson(accept.flatMap((value) => ['aCCept', value])), expected)
  })
