import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { RequestIds } from '../../src/edge/request-id.ts'
import { exchangeBytes, FIRST_REQUEST_ID, serve, siteOf, startUpstream } from './serve.ts'

const CLOSE = 'Host: a.test\r\nConnection: close\r\n'

function ids(): { requestIds: RequestIds; rolls: () => number } {
  let rolls = 0
  const requestIds = new RequestIds((size) => Buffer.alloc(size, ++rolls))
  return { requestIds, rolls: () => rolls }
}

test('an id that is made has 128 bits in hexadecimal digits, and no other has it', () => {
  const { requestIds, rolls } = ids()
  const made = Array.from({ length: 10_000 }, () => requestIds.of([]))
  assert.ok(made.every((id) => /^[0-9a-f]{32}$/.test(id)))
  assert.equal(new Set(made).size, made.length)
  assert.equal(rolls(), 1)
})

test('an id that a request came with is kept, if it can stand anywhere as it is', () => {
  const { requestIds } = ids()
  for (const good of ['a', '0', 'A-b_c.9', 'x'.repeat(128), '7f0e9d5a-7f6c-4d0e-9a5e-0c7b1b1f3c11'])
    assert.equal(requestIds.of(['Accept', '*/*', 'x-request-ID', good]), good)
  for (const bad of ['', 'x'.repeat(129), 'a b', 'a\tb', '<b>', 'a"b', 'a,b', '\xe4', '../x/y', 'a\nb', 'id='])
    assert.match(requestIds.of(['X-Request-Id', bad]), /^[0-9a-f]{32}$/)
})

test('the upstream gets one id, whatever the client sent, in whatever spelling', async (t) => {
  const upstream = await startUpstream((request, response) => {
    response.setHeader('X-Request-Id', 'of-the-app')
    response.end(JSON.stringify(request.rawHeaders.filter((_, at, all) => /request.id/i.test(all[at - (at % 2)]!))))
  })
  const proxy = await serve([siteOf(upstream.address)])
  t.after(() => Promise.all([proxy.close(), upstream.close()]))
  for (const [sent, id] of [
    ['X-Request-Id: mine', 'mine'],
    ['x_request_id: mine\r\nX-Request-Id: other\r\nX.Request-Id: third', 'mine'],
    ['X-Request-Id: <script>\r\nX-Request-Id: good', FIRST_REQUEST_ID],
    ['Connection: X-Request-Id\r\nX-Request-Id: mine', 'mine'],
  ] as const) {
    const answer = await exchangeBytes(proxy.port, `GET / HTTP/1.1\r\n${CLOSE}${sent}\r\n\r\n`)
    assert.ok(answer.includes(JSON.stringify(['X-Request-Id', id])), answer)
    // What the app says of it is the client's to read.
    assert.match(answer, /\r\nX-Request-Id: of-the-app\r\n/)
    assert.equal(proxy.accesses.at(-1)?.requestId, id)
  }
})

test('our error pages tell the id, the log as well', async (t) => {
  const gone = createServer()
  await new Promise<void>((resolve) => gone.listen(0, '127.0.0.1', resolve))
  const { port } = gone.address() as { port: number }
  gone.close()
  const proxy = await serve([siteOf({ scheme: 'http', host: '127.0.0.1', port })])
  t.after(() => proxy.close())
  const failed = await exchangeBytes(proxy.port, `GET / HTTP/1.1\r\n${CLOSE}X-Request-Id: id-1\r\n\r\n`)
  assert.match(failed, /^HTTP\/1\.1 502 [\s\S]*Request id-1</)
  assert.equal(proxy.log.of('upstream-unreachable')[0]?.facts?.requestId, 'id-1')
  const unknown = await exchangeBytes(proxy.port, 'GET / HTTP/1.1\r\nHost: b.test\r\nConnection: close\r\n\r\n')
  assert.match(unknown, new RegExp(`^HTTP/1\\.1 404 [\\s\\S]*Request ${FIRST_REQUEST_ID}<`))
  assert.deepEqual(
    proxy.accesses.map(({ requestId }) => requestId),
    ['id-1', FIRST_REQUEST_ID],
  )
})

test('an id that would be markup is in no page', async (t) => {
  const proxy = await serve([])
  t.after(() => proxy.close())
  const answer = await exchangeBytes(proxy.port, `GET / HTTP/1.1\r\n${CLOSE}X-Request-Id: <script>x</script>\r\n\r\n`)
  assert.match(answer, /^HTTP\/1\.1 404 /)
  assert.doesNotMatch(answer, /<script/)
})
