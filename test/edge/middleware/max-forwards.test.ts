import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exchangeBytes, serve, siteOf, startUpstream } from '../serve.ts'

async function scene(t: { after(end: () => unknown): void }) {
  const asked: unknown[] = []
  const upstream = await startUpstream(({ method, headers }, response) => {
    asked.push([method, headers['max-forwards']])
    response.end('asked')
  })
  const proxy = await serve([siteOf(upstream.address)])
  t.after(async () => {
    await proxy.close()
    await upstream.close()
  })
  const ask = (method: string, field: string): Promise<string> =>
    exchangeBytes(proxy.port, `${method} / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n${field}\r\n`)
  return { asked, ask }
}

test('TRACE and OPTIONS that may go no further end here (RFC 9110 §7.6.2)', async (t) => {
  const { asked, ask } = await scene(t)
  assert.match(await ask('OPTIONS', 'Max-Forwards: 0\r\n'), /^HTTP\/1\.1 204 [\s\S]*\r\nAllow: GET, /)
  assert.match(await ask('TRACE', 'Max-Forwards: 00\r\n'), /^HTTP\/1\.1 405 [\s\S]*\r\nAllow: GET, /)
  assert.deepEqual(asked, [])
})

test('others of them have one less left, and what is no number counts for nothing', async (t) => {
  const { asked, ask } = await scene(t)
  await ask('OPTIONS', 'X: y\r\nmax-forwards: 10\r\n')
  await ask('TRACE', 'Max-Forwards: 1\r\n')
  await ask('OPTIONS', 'Max-Forwards: -1\r\n')
  await ask('OPTIONS', '')
  assert.deepEqual(asked, [
    ['OPTIONS', '9'],
    ['TRACE', '0'],
    ['OPTIONS', '-1'],
    ['OPTIONS', undefined],
  ])
})

test('it says nothing of other methods', async (t) => {
  const { asked, ask } = await scene(t)
  await ask('GET', 'Max-Forwards: 0\r\n')
  assert.deepEqual(asked, [['GET', '0']])
})
