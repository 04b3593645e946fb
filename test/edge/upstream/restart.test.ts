import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { until } from '../http1/peer.ts'
import { exchangeBytes, plainBalancing, serve, siteOf, startUpstream, upstreamOf } from '../serve.ts'

const CLOSE = 'Host: a.test\r\nConnection: close\r\n\r\n'

/** An app that begins to listen there after a while. */
async function startLater(t: TestContext, where: { port: number; host: string } | { path: string }): Promise<void> {
  const server = createServer((request, response) => {
    request.on('data', () => {})
    request.on('end', () => response.end(`${request.method} served`))
  })
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  await new Promise((resolve) => setTimeout(resolve, 300))
  await new Promise<void>((resolve) => server.listen(where, resolve))
}

/** A port where nothing listens. */
async function deadPort(): Promise<number> {
  const upstream = await startUpstream(() => {})
  await upstream.close()
  return (upstream.address as { port: number }).port
}

for (const host of ['127.0.0.1', '::1'])
  test(`an app at localhost that is being restarted is waited for, and comes back at ${host}`, async (t) => {
    const port = await deadPort()
    const proxy = await serve([siteOf({ scheme: 'http', host: 'localhost', port })])
    t.after(() => proxy.close())
    const asked = ['GET', 'POST', 'DELETE'].map((method) =>
      exchangeBytes(proxy.port, `${method} / HTTP/1.1\r\nContent-Length: 5\r\n${CLOSE}hello`),
    )
    await startLater(t, { port, host })
    for (const answer of await Promise.all(asked)) assert.match(answer, /^HTTP\/1\.1 200 OK\r\n[\s\S]* served$/)
    assert.ok(proxy.accesses.every(({ attempts }) => attempts >= 2))
    assert.equal(proxy.log.of('upstream-unreachable').length, 1)
  })

test('so is one at a socket that is not there yet', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'castellan-restart-'))
  t.after(() => rm(folder, { recursive: true }))
  const path = join(folder, 'app.sock')
  const proxy = await serve([siteOf({ scheme: 'unix', path })])
  t.after(() => proxy.close())
  const asked = exchangeBytes(proxy.port, `GET / HTTP/1.1\r\n${CLOSE}`)
  await startLater(t, { path })
  assert.match(await asked, /^HTTP\/1\.1 200 OK\r\n/)
})

test('a client that goes away ends the waiting', async (t) => {
  const proxy = await serve([siteOf({ scheme: 'http', host: '127.0.0.1', port: await deadPort() })])
  t.after(() => proxy.close())
  const socket = connect(proxy.port, '127.0.0.1', () => socket.write(`GET / HTTP/1.1\r\n${CLOSE}`))
  await until(() => proxy.log.of('upstream-unreachable').length > 0)
  socket.resetAndDestroy()
  await until(() => proxy.accesses.length > 0)
  const { status, attempts, durationMs } = proxy.accesses[0]!
  assert.equal(status, 0)
  assert.ok(attempts < 10 && durationMs < 1_000, `${attempts} attempts in ${durationMs} ms`)
})

test('what one target fails goes to another: any method if nothing was sent, else if it is idempotent', async (t) => {
  const closing = await startUpstream((request) => request.socket.destroy())
  const good = await startUpstream((request, response) => {
    request.on('data', (piece) => response.write(piece))
    request.on('end', () => response.end(' served'))
  })
  t.after(() => Promise.all([closing.close(), good.close()]))
  const dead = { scheme: 'http', host: '127.0.0.1', port: await deadPort() } as const
  const ask = async (first: typeof closing.address, method: string): Promise<string> => {
    const targets = [first, good.address].map((address) => ({ address, weight: 1 }))
    const balancing = { ...plainBalancing, balance: { by: 'firstAvailable' } } as const
    const proxy = await serve([siteOf(upstreamOf(good.address, { targets, balancing }))])
    const answer = await exchangeBytes(proxy.port, `${method} / HTTP/1.1\r\nContent-Length: 5\r\n${CLOSE}hello`)
    await proxy.close()
    return answer
  }
  assert.match(await ask(dead, 'POST'), /hello[\s\S]* served/)
  assert.match(await ask(closing.address, 'PUT'), /hello[\s\S]* served/)
  assert.match(await ask(closing.address, 'POST'), /^HTTP\/1\.1 502 /)
})

test('without a second try, and of what was too long to be kept, a failure is told', async (t) => {
  const closing = await startUpstream((request) => {
    request.on('data', () => {})
    request.on('end', () => request.socket.destroy())
  })
  const good = await startUpstream((_, response) => void response.end('served'))
  t.after(() => Promise.all([closing.close(), good.close()]))
  const targets = [closing.address, good.address].map((address) => ({ address, weight: 1 }))
  for (const [retries, bytes] of [
    [0, 1],
    [1, 200_000],
  ] as const) {
    const balancing = { ...plainBalancing, balance: { by: 'firstAvailable' }, retries } as const
    const proxy = await serve([siteOf(upstreamOf(good.address, { targets, balancing }))])
    const request = `PUT / HTTP/1.1\r\nContent-Length: ${bytes}\r\n${CLOSE}${'x'.repeat(bytes)}`
    assert.match(await exchangeBytes(proxy.port, request), /^HTTP\/1\.1 502 /)
    await proxy.close()
  }
})
