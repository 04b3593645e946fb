import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CertificateMaterial } from '../../../src/edge/snapshot.ts'
import { MaterialCache } from '../../../src/edge/tls/material-cache.ts'
import { ask, certificate, greet, served, settled, ticketSecret } from './served.ts'

const [ecdsa, rsa, other] = await Promise.all([
  certificate('ecdsa-p256', 'a.test'),
  certificate('rsa-2048', 'a.test'),
  certificate('ecdsa-p256', 'b.test'),
])
const greeting = { text: 'ecdsa-p256 a.test http/1.1' }

/** Questions that are answered when a test says so. */
class Questions {
  readonly open: { readonly id: string; answer(material: CertificateMaterial | undefined): void }[] = []

  readonly fetchMaterial = (id: string): Promise<CertificateMaterial | undefined> =>
    new Promise((answer) => this.open.push({ id, answer }))
}

test('a certificate is asked for when the first client comes for it, once, and no other is', async (t) => {
  const { port, supply, acceptor } = await served(t, [ecdsa, rsa, other], greet)
  assert.deepEqual(supply.asked, [])
  assert.deepEqual(await Promise.all([ask(port), ask(port), ask(port)]), [greeting, greeting, greeting])
  // Neither later, nor when contexts are made anew because the tickets' secret has changed.
  acceptor.useTicketSecrets([ticketSecret()])
  assert.deepEqual(await ask(port), greeting)
  assert.deepEqual(supply.asked, [ecdsa.id])
})

test('while one is waited for, others are served; nobody waits for longer than a handshake may take', async (t) => {
  const questions = new Questions()
  const { fetchMaterial } = questions
  const { port, log } = await served(t, [ecdsa, other], greet, { fetchMaterial, handshakeTimeoutMs: 500 })
  const first = ask(port)
  await settled(() => questions.open.length === 1, 5_000)
  questions.open[0]!.answer(ecdsa)
  assert.deepEqual(await first, greeting)
  const waiting = ask(port, { servername: 'b.test' })
  await settled(() => questions.open.length === 2, 5_000)
  assert.deepEqual(await ask(port), greeting)
  assert.notDeepEqual(await waiting, { text: 'ecdsa-p256 b.test http/1.1' })
  assert.match(log.of('handshake-failed')[0]!.message, /no handshake within 500 ms/)
  // Whoever comes late with the answer does no harm, and it was not in vain.
  questions.open[1]!.answer(other)
  assert.deepEqual(await ask(port, { servername: 'b.test' }), { text: 'ecdsa-p256 b.test http/1.1' })
  assert.equal(questions.open.length, 2)
})

test('one that is replaced while it is waited for: the client gets its successor', async (t) => {
  const questions = new Questions()
  const { port, update } = await served(t, [ecdsa], greet, { fetchMaterial: questions.fetchMaterial })
  const answer = ask(port)
  await settled(() => questions.open.length === 1, 5_000)
  const successor = { ...ecdsa, id: 'successor' }
  update([successor])
  questions.open[0]!.answer(undefined)
  await settled(() => questions.open.length === 2, 5_000)
  assert.equal(questions.open[1]!.id, 'successor')
  questions.open[1]!.answer(successor)
  assert.deepEqual(await answer, { text: 'successor http/1.1' })
})

test('one that nobody has any more is an unknown name, not a question without end', async (t) => {
  const questions = new Questions()
  const { port } = await served(t, [ecdsa], greet, { fetchMaterial: questions.fetchMaterial })
  const answer = ask(port)
  await settled(() => questions.open.length === 1, 5_000)
  questions.open[0]!.answer(undefined)
  assert.deepEqual(await answer, { error: 'ERR_SSL_TLSV1_UNRECOGNIZED_NAME' })
  assert.equal(questions.open.length, 1)
})

test('a question that fails costs its connection, and is told', async (t) => {
  const fetchMaterial = async (): Promise<undefined> => {
    throw new Error('the channel is closed')
  }
  const { port, log } = await served(t, [ecdsa], greet, { fetchMaterial })
  assert.notDeepEqual(await ask(port), greeting)
  assert.match(log.of('connection-exception')[0]!.message, /the channel is closed/)
})

test('what was changed or dropped while it was waited for is not kept', async () => {
  const questions = new Questions()
  const cache = new MaterialCache(questions.fetchMaterial)
  for (const change of [() => cache.changeStaple({ id: 'a', staple: 'new' }), () => cache.drop('a')]) {
    const fetching = cache.fetch('a')
    assert.equal(cache.fetch('a'), fetching)
    change()
    questions.open.at(-1)!.answer(ecdsa)
    assert.equal(await fetching, ecdsa)
    assert.equal(cache.get('a'), undefined)
  }
  const fetching = cache.fetch('a')
  questions.open.at(-1)!.answer(ecdsa)
  await fetching
  cache.changeStaple({ id: 'a', staple: 'new' })
  assert.deepEqual(cache.get('a'), { ...ecdsa, staple: 'new' })
})
