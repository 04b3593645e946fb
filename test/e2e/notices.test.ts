import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import http, { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { SmtpServer } from '../notices/smtp-server.ts'
import { missing } from '../programs.ts'
import { Castellan, makePlace, type Place } from './castellan.ts'
import { startPebble } from './peers/pebble.ts'

// What an operator gets to hear, by a webhook and a mail server that are real.

const skip = missing('pebble') || missing('pebble-challtestsrv') || missing('openssl')
const REDIRECT = 'redirectTo: "https://b.example"'
const SECRET = 'a secret of the hook'

type Told = {
  readonly state: string
  readonly names: string[]
  readonly title: string
  readonly said: string
  readonly seen: string[]
}

async function listen(t: TestContext, server: Server): Promise<number> {
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return (server.address() as AddressInfo).port
}

/** A receiver that checks what it gets as the README says. */
async function startReceiver(t: TestContext): Promise<{ url: string; told: Told[] }> {
  const told: Told[] = []
  const server = createServer(async (request, response) => {
    const body = (await Array.fromAsync(request)).join('')
    const { 'castellan-timestamp': timestamp, 'castellan-signature': signature } = request.headers
    const expected = createHmac('sha256', SECRET).update(`${timestamp}.${body}`).digest('hex')
    const isGenuine = signature === `sha256=${expected}` && Math.abs(Date.now() / 1000 - Number(timestamp)) < 300
    if (isGenuine) told.push(...JSON.parse(body).notices)
    response.writeHead(isGenuine ? 204 : 403).end()
  })
  return { url: `http://127.0.0.1:${await listen(t, server)}/hook`, told }
}

/** What stands between a CA and Castellan, and leads nowhere at first. */
async function startGateway(t: TestContext, place: Place) {
  const gateway = { leadsSomewhere: false, port: 0 }
  const server = createServer((request, response) => {
    if (!gateway.leadsSomewhere) return void response.writeHead(404).end('wrong server')
    const { url: path, headers } = request
    http.get({ port: place.httpPort, host: '127.0.0.1', path, headers }, (answer) => {
      response.writeHead(answer.statusCode!, answer.headers)
      answer.pipe(response)
    })
  })
  gateway.port = await listen(t, server)
  return gateway
}

async function run(t: TestContext, place: Place): Promise<Castellan> {
  const castellan = new Castellan(place.folder, ['run'], { ...process.env, HOOK_SECRET: SECRET })
  t.after(() => castellan.stop())
  await castellan.until('serving')
  return castellan
}

async function command(place: Place, ...args: string[]): Promise<{ code: number | null; text: string }> {
  const castellan = new Castellan(place.folder, args, { ...process.env, HOOK_SECRET: SECRET })
  const { code } = await castellan.exited
  return { code, text: castellan.text }
}

test('a CA that refuses is one notice, over a restart too, and it is over when the certificates have come', {
  skip,
}, async (t) => {
  const place = await makePlace()
  t.after(() => place.remove())
  const receiver = await startReceiver(t)
  const gateway = await startGateway(t, place)
  const pebble = await startPebble({ httpPort: gateway.port, tlsPort: place.httpsPort, nonceReject: 5, strict: true })
  t.after(() => pebble.stop())
  await place.configure(`acceptTerms: true
issuers: { pebble: { directory: "${pebble.directory}", trust: "${pebble.trust}", challenges: http-01 } }
defaults: { issuer: pebble }
notify: { webhook: "${receiver.url}", secret: env:HOOK_SECRET }
sites: { a.test: { ${REDIRECT} } }
`)
  const first = await run(t, place)
  const [line] = await first.until('notice-raised')
  assert.match(line!.message, /^Notice: There is no certificate for a\.test\. pebble: .*404/)
  assert.equal((await command(place, 'certs', 'retry', '--all')).code, 1)
  await first.until('certificate-failed', 2)
  assert.equal(await first.stop(), 0)
  assert.deepEqual(
    receiver.told.map(({ state, names }) => [state, ...names]),
    [['raised', 'a.test']],
  )
  assert.match(receiver.told[0]!.said, /404/)
  assert.match(receiver.told[0]!.seen.join(), /a\.test resolves to no address|No name server answered for a\.test/)

  const second = await run(t, place)
  gateway.leadsSomewhere = true
  assert.equal((await command(place, 'certs', 'retry', '--all')).code, 0)
  await second.until('certificate-issued', 2)
  await second.until('notice-over')
  assert.equal(await second.stop(), 0)
  assert.deepEqual(
    receiver.told.map(({ state, title }) => [state, title]),
    [
      ['raised', 'There is no certificate for a.test'],
      ['over', 'a.test has its certificate'],
    ],
  )
})

test('"notify test" tells of every channel whether it works, by the program that runs and without one', async (t) => {
  const place = await makePlace()
  t.after(() => place.remove())
  const receiver = await startReceiver(t)
  const smtp = new SmtpServer()
  t.after(() => smtp.close())
  const port = await smtp.listen()
  const silent = await listen(
    t,
    createServer((_, response) => void response.writeHead(500).end()),
  )
  await place.configure(`sites: { localhost: { ${REDIRECT}, certificate: { keys: ecdsa-p256 } } }
notify:
  - { webhook: "${receiver.url}", secret: env:HOOK_SECRET }
  - { email: ops@example.com, smtp: "smtp://127.0.0.1:${port}" }
  - { webhook: "http://127.0.0.1:${silent}/" }
`)
  const expected = [
    `the webhook at ${new URL(receiver.url).host}: the test notice was sent.`,
    'ops@example.com: the test notice was sent.',
    `the webhook at 127.0.0.1:${silent}: failed. 127.0.0.1:${silent} answered with status 500.`,
  ].toSorted()
  for (const count of [1, 2]) {
    const { code, text } = await command(place, 'notify', 'test')
    assert.deepEqual(text.trim().split('\n').toSorted(), expected)
    assert.equal(code, 1)
    assert.deepEqual([receiver.told.length, smtp.mails.length], [count, count])
    if (count === 1) await run(t, place)
  }
  assert.equal(receiver.told[0]?.state, 'test')
  assert.match(smtp.mails[0]!.content, /This is a test of Castellan on /)
})

test('"notify test" says so where nobody is to be told, and how it is used', async (t) => {
  const place = await makePlace()
  t.after(() => place.remove())
  await place.configure(`sites: { localhost: { ${REDIRECT} } }\n`)
  const none = await command(place, 'notify', 'test')
  assert.equal(none.code, 1)
  assert.match(none.text, /name somebody under "notify"/)
  for (const args of [['notify'], ['notify', 'tset'], ['notify', 'test', '--jsn']]) {
    const { code, text } = await command(place, ...args)
    assert.equal(code, 2)
    assert.match(text, /usage: castellan notify test/)
  }
})
