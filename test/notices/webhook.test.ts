import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import http, { type IncomingMessage, type RequestListener } from 'node:http'
import https from 'node:https'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { after, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { Notice } from '../../src/notices/trouble.ts'
import { createWebhook, type WebhookOptions } from '../../src/notices/webhook.ts'
import { createCertificateAuthority, issueCertificate } from '../../src/pki/certificate-authority.ts'
import { exportPrivateKey, generateKey } from '../../src/pki/keys.ts'
import { FakeClock } from '../fakes/fake-clock.ts'

const forever = new AbortController().signal
const servers: Server[] = []
const sockets = new Set<Socket>()

after(() => {
  for (const socket of sockets) socket.destroy()
  for (const server of servers) server.close()
})

async function listen(server: Server): Promise<number> {
  servers.push(server)
  server.on('connection', (socket) => sockets.add(socket))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return (server.address() as AddressInfo).port
}

async function answer(handler: RequestListener): Promise<string> {
  return `http://127.0.0.1:${await listen(http.createServer(handler))}/hook?token=t`
}

/** A receiver that keeps what came, and answers with a status. */
async function receiver(status = 204) {
  const received: { readonly request: IncomingMessage; readonly body: string }[] = []
  const url = await answer(async (request, response) => {
    received.push({ request, body: (await Array.fromAsync(request)).join('') })
    response.writeHead(status).end()
  })
  return { received, url }
}

const clock = new FakeClock()

function hook(url: string, options: Partial<WebhookOptions> = {}) {
  return createWebhook({ name: 'hook', url, secret: undefined, trust: undefined, machine: 'gate', clock, ...options })
}

const NOTICE: Notice = {
  id: 'certificate/a.test',
  state: 'raised',
  kind: 'certificate-failed',
  severity: 'error',
  at: clock.now(),
  since: clock.now(),
  names: ['a.test'],
  title: 'There is no certificate for a.test',
  said: 'ca: “no”.',
  seen: ['a.test resolves to no address.'],
  next: 'Castellan tries again.',
  remedy: 'Make a record.',
  expiresAt: undefined,
}

test('what is sent is JSON, with text for people and facts for programs', async () => {
  const { received, url } = await receiver()
  await hook(url).send([NOTICE], forever)
  const [{ request, body } = assert.fail()] = received
  assert.equal(request.method, 'POST')
  assert.equal(request.url, '/hook?token=t')
  assert.equal(request.headers['content-type'], 'application/json')
  assert.match(request.headers['castellan-delivery'] as string, /^[0-9a-f-]{36}$/)
  assert.equal(request.headers['castellan-signature'], undefined)
  const { text, ...rest } = JSON.parse(body)
  const time = '2026-11-24T12:00:00.000Z'
  assert.deepEqual(rest, {
    version: 1,
    machine: 'gate',
    notices: [{ ...NOTICE, at: time, since: time, expiresAt: null }],
  })
  assert.equal(
    text,
    `There is no certificate for a.test

ca: “no”.

What Castellan saw when it looked for itself:
- a.test resolves to no address.

What happens next:
Castellan tries again.

What you can do:
Make a record.`,
  )
})

test('several notices are one request, whose text is their titles', async () => {
  const { received, url } = await receiver()
  await hook(url).send([NOTICE, { ...NOTICE, state: 'over', title: 'a.test has its certificate' }], forever)
  assert.equal(
    JSON.parse(received[0]!.body).text,
    '2 notices:\n- There is no certificate for a.test\n- Over: a.test has its certificate',
  )
})

test('a receiver that knows the secret can check timestamp and body, as the README says', async () => {
  const { received, url } = await receiver()
  await hook(url, { secret: 'quiet' }).send([NOTICE], forever)
  const [{ request, body } = assert.fail()] = received
  const { 'castellan-timestamp': timestamp, 'castellan-signature': signature } = request.headers
  assert.equal(timestamp, String(clock.now() / 1000))
  const expected = createHmac('sha256', 'quiet').update(`${timestamp}.${body}`).digest('hex')
  assert.equal(signature, `sha256=${expected}`)
})

for (const status of [200, 201, 204, 299])
  test(`${status} is a success`, async () => hook((await receiver(status)).url).send([NOTICE], forever))

for (const status of [304, 400, 404, 429, 500, 503])
  test(`${status} is none`, async () => {
    const { url } = await receiver(status)
    await assert.rejects(hook(url).send([NOTICE], forever), {
      code: 'notify-refused',
      message: new RegExp(`answered with status ${status}`),
    })
  })

for (const status of [301, 302, 307, 308])
  test(`a redirect by ${status} is not followed`, async () => {
    const elsewhere = await receiver()
    const url = await answer((_, response) => void response.writeHead(status, { Location: elsewhere.url }).end())
    await assert.rejects(hook(url).send([NOTICE], forever), { message: /redirects are not followed/ })
    assert.equal(elsewhere.received.length, 0)
  })

test('a receiver that hangs is given up after 15 s, and the connection closed', async () => {
  let closed = false
  let isAsked = false
  const url = await answer((request) => {
    isAsked = true
    request.socket.once('close', () => {
      closed = true
    })
  })
  const own = new FakeClock()
  const sending = hook(url, { clock: own }).send([NOTICE], forever)
  sending.catch(() => {})
  while (!isAsked) await turn()
  await own.advance(14_999)
  assert.equal(closed, false)
  await own.advance(1)
  await assert.rejects(sending, { code: 'notify-timeout', message: /within 15 seconds/ })
  while (!closed) await turn()
  assert.equal(own.sleeping, 0)
})

test('an answer without an end is not waited for', async () => {
  let closed = false
  const url = await answer((request, response) => {
    request.socket.once('close', () => {
      closed = true
    })
    response.writeHead(200).write('x'.repeat(10_000))
  })
  await hook(url).send([NOTICE], forever)
  while (!closed) await turn()
})

test('what is no HTTP, a reset, and nobody at all are errors', async () => {
  const garbage = await listen(createServer((socket) => socket.on('error', () => {}).end('SSH-2.0-x\r\n')))
  const reset = await listen(createServer((socket) => void socket.on('error', () => {}).destroy()))
  const server = createServer()
  const nobody = await listen(server)
  await new Promise((resolve) => server.close(resolve))
  for (const port of [garbage, reset, nobody])
    await assert.rejects(hook(`http://127.0.0.1:${port}/`).send([NOTICE], forever), { code: 'notify-unreachable' })
})

test('its certificate is verified, by the authorities of the machine and the one that is named', async () => {
  const now = Date.now()
  const authority = await createCertificateAuthority({ label: 'hook', now })
  const { publicKey, privateKey } = await generateKey('ecdsa-p256')
  const cert = await issueCertificate(authority, { names: ['127.0.0.1'], publicKey, now, lifetimeMs: 86_400_000 })
  let count = 0
  const server = https.createServer({ cert, key: exportPrivateKey(privateKey) }, (_, response) => {
    count++
    response.end()
  })
  const url = `https://127.0.0.1:${await listen(server)}/`
  await assert.rejects(hook(url).send([NOTICE], forever), { code: 'notify-unreachable', message: /certificate/ })
  assert.equal(count, 0)
  await hook(url, { trust: authority.certificate.x509.toString() }).send([NOTICE], forever)
  assert.equal(count, 1)
})
