import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { type TestContext, test } from 'node:test'
import { Sweep } from '../../../src/edge/sweep.ts'
import { Peer, until } from '../http1/peer.ts'
import { serve, siteOf, upstreamOf } from '../serve.ts'

const GET = 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n'

/** A proxy whose upstream may take a second to connect, two to answer and three to go on; the test has the clock. */
async function impatient(t: TestContext) {
  let now = 0
  const sweep = new Sweep(() => now)
  const peers: Peer[] = []
  const server = createServer({ allowHalfOpen: true }, (socket) => peers.push(new Peer(socket)))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const timeouts = { connectMs: 1_000, firstByteMs: 2_000, idleMs: 3_000 }
  const proxy = await serve([siteOf(upstreamOf({ scheme: 'http', host: '127.0.0.1', port }, { timeouts }))], { sweep })
  const socket = connect({ port: proxy.port, host: '127.0.0.1', allowHalfOpen: true })
  await once(socket, 'connect')
  const client = new Peer(socket)
  t.after(async () => {
    socket.destroy()
    for (const peer of peers) peer.socket.destroy()
    server.close()
    await proxy.close()
  })
  const pass = (ms: number): void => {
    now += ms
    sweep.run()
  }
  return { client, proxy, peers, pass }
}

test('an upstream that does not begin to answer within firstByte is a 504', async (t) => {
  const { client, proxy, peers, pass } = await impatient(t)
  client.say(GET)
  await until(() => peers.length > 0)
  await peers[0]!.hear('\r\n\r\n')
  pass(1_900)
  assert.equal(proxy.log.of('upstream-timeout').length, 0)
  pass(200)
  assert.match(await client.hear('\r\n\r\n'), /^HTTP\/1\.1 504 /)
  assert.match(proxy.log.of('upstream-timeout')[0]!.message, /was too slow: it sent nothing for too long\.$/)
})

test('a response that pauses for longer than idle breaks off', async (t) => {
  const { client, peers, pass } = await impatient(t)
  client.say(GET)
  await until(() => peers.length > 0)
  await peers[0]!.hear('\r\n\r\n')
  peers[0]!.say('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsome')
  await client.hear('some')
  pass(2_900)
  peers[0]!.say('more')
  await client.hear('more')
  pass(2_900)
  assert.equal(client.socket.readableEnded, false)
  pass(200)
  await client.hearEnd()
})
