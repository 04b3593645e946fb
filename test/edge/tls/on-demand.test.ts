import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import type { NameAnswer, OnDemandSnapshot } from '../../../src/edge/snapshot.ts'
import { OnDemandNames } from '../../../src/edge/tls/on-demand-names.ts'
import { captureNode } from '../client-hello/capture.ts'
import { ask, certificate, greet, served, settled } from './served.ts'

// Handshakes for names that no site lists.

const [site, other] = await Promise.all([certificate('ecdsa-p256', 'a.test'), certificate('ecdsa-p256', 'b.test')])
const greeting = { text: 'ecdsa-p256 b.test http/1.1' }

async function onDemand(t: TestContext, settings: Partial<OnDemandSnapshot> = {}, handshakeTimeoutMs = 10_000) {
  const open: { readonly name: string; answer(answer: NameAnswer): void }[] = []
  const seen: string[] = []
  const names = new OnDemandNames({
    settings: { allow: undefined, waitMs: 5_000, waiting: 10, ...settings },
    isListed: (name) => name === 'a.test',
    askForName: (name) => new Promise((answer) => open.push({ name, answer })),
    tellSeen: (told) => seen.push(...told),
  })
  const server = await served(t, [site], greet, { onDemand: names, handshakeTimeoutMs })
  return { ...server, names, open, seen }
}

test('handshakes wait, and are served when the certificate is there; others notice nothing', async (t) => {
  const { port, open, update, names, seen } = await onDemand(t)
  const waiting = [1, 2, 3].map(() => ask(port, { servername: 'b.test' }))
  await settled(() => open.length === 1, 5_000)
  assert.deepEqual(await ask(port), { text: 'ecdsa-p256 a.test http/1.1' })
  update([site, other])
  open[0]!.answer({ type: 'served' })
  assert.deepEqual(await Promise.all(waiting), [greeting, greeting, greeting])
  assert.equal(open.length, 1)
  names.sweep(performance.now() + 60_000)
  assert.deepEqual(seen, ['b.test'])
})

test('a handshake that waits has more time than one that waits for nobody', async (t) => {
  const { port, open, update } = await onDemand(t, {}, 1_500)
  const waiting = ask(port, { servername: 'b.test' })
  await settled(() => open.length === 1, 5_000)
  await new Promise((resolve) => setTimeout(resolve, 1_600))
  update([site, other])
  open[0]!.answer({ type: 'served' })
  assert.deepEqual(await waiting, greeting)
})

test('a name that may have none is an unknown one; what may be better soon is an internal error', async (t) => {
  const { port, open, log } = await onDemand(t)
  const first = ask(port, { servername: 'no.test' })
  await settled(() => open.length === 1, 5_000)
  open[0]!.answer({ type: 'denied', reason: 'ask said 403', forMs: 60_000 })
  assert.deepEqual(await first, { error: 'ERR_SSL_TLSV1_UNRECOGNIZED_NAME' })
  const second = ask(port, { servername: 'later.test' })
  await settled(() => open.length === 2, 5_000)
  open[1]!.answer({ type: 'unavailable', reason: 'too much', forMs: 60_000, ofAddress: false })
  assert.deepEqual(await second, { error: 'ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR' })
  // Without another question.
  assert.deepEqual(await ask(port, { servername: 'no.test' }), { error: 'ERR_SSL_TLSV1_UNRECOGNIZED_NAME' })
  assert.equal(open.length, 2)
  assert.match(log.of('handshake-failed')[0]!.message, /no\.test has no certificate on demand: ask said 403/)
})

test('where it is said to be served but is not, the client is refused and nothing goes round in circles', async (t) => {
  const { port, open } = await onDemand(t)
  const answer = ask(port, { servername: 'b.test' })
  await settled(() => open.length === 1, 5_000)
  open[0]!.answer({ type: 'served' })
  assert.deepEqual(await answer, { error: 'ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR' })
  assert.equal(open.length, 1)
})

/** A client that says hello, for app.example.com, and then nothing. */
async function hello(port: number): Promise<Socket> {
  const client = connect(port, '127.0.0.1')
  // Closed is closed, by a reset too.
  client.on('error', () => {})
  client.resume().write(await captureNode({}))
  return client
}

test('a client that goes away waits no longer, be it by a reset or politely', async (t) => {
  const { port, open, names, sockets } = await onDemand(t, { waiting: 1 })
  for (const [index, leave] of (['resetAndDestroy', 'end'] as const).entries()) {
    const client = await hello(port)
    await settled(() => open.length === index + 1, 5_000)
    assert.ok('type' in names.ask('other.test', ''), 'there is room for one')
    client[leave]()
    await settled(() => sockets.size === 0, 5_000)
    open[index]!.answer({ type: 'unavailable', reason: 'not now', forMs: 0, ofAddress: false })
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.ok('leave' in names.ask('other.test', ''))
})

test('nobody waits for longer than the wait and a handshake', async (t) => {
  const { port, log } = await onDemand(t, { waitMs: 300 }, 1_000)
  const client = await hello(port)
  await new Promise((resolve) => client.once('close', resolve))
  assert.match(log.of('handshake-failed')[0]!.message, /no handshake within 1300 ms/)
})

test('a client that sends without end while it waits is cut off', async (t) => {
  const { port, open, log } = await onDemand(t)
  const client = await hello(port)
  await settled(() => open.length === 1, 5_000)
  client.write(Buffer.alloc(1024 * 1024))
  await new Promise((resolve) => client.once('close', resolve))
  assert.match(log.of('handshake-failed')[0]!.message, /sends what nobody asked for/)
})
