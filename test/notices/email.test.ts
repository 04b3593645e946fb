import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { createEmail, type EmailOptions } from '../../src/notices/email.ts'
import type { Notice } from '../../src/notices/trouble.ts'
import { testNotice } from '../../src/notices/wording.ts'
import { createCertificateAuthority, issueCertificate } from '../../src/pki/certificate-authority.ts'
import { exportPrivateKey, generateKey } from '../../src/pki/keys.ts'
import { systemClock } from '../../src/system/clock.ts'
import { FakeClock } from '../fakes/fake-clock.ts'
import { type SmtpOptions, SmtpServer } from './smtp-server.ts'

const forever = new AbortController().signal
const servers: SmtpServer[] = []
const DAY = 86_400_000

let credentials: { readonly cert: string; readonly key: string }
let trust: string

before(async () => {
  const now = Date.now()
  const authority = await createCertificateAuthority({ label: 'mail', now })
  const { publicKey, privateKey } = await generateKey('ecdsa-p256')
  const cert = await issueCertificate(authority, { names: ['127.0.0.1'], publicKey, now, lifetimeMs: DAY })
  credentials = { cert, key: exportPrivateKey(privateKey) }
  trust = authority.certificate.x509.toString()
})

after(() => {
  for (const server of servers) server.close()
})

async function serve(options: SmtpOptions = {}): Promise<{ server: SmtpServer; port: number }> {
  const server = new SmtpServer(options)
  servers.push(server)
  return { server, port: await server.listen() }
}

function emailTo(port: number, options: Partial<EmailOptions> = {}) {
  return createEmail({
    ...{ name: 'mail', to: 'ops@example.com', from: 'castellan@example.com', machine: 'gate', clock: systemClock },
    server: { host: '127.0.0.1', port, isSecure: false },
    login: undefined,
    trust,
    ...options,
  })
}

const notice = (title: string): Notice => ({ ...testNotice('gate', Date.parse('2026-11-24T12:00:00Z')), title })

/** What a reader sees: the encodings of MIME undone, as far as they are used here. */
function readable(content: string): string {
  return content
    .replace(/=\n/g, '')
    .replace(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)))
}

test('a notice is a mail, over STARTTLS where the server offers it, with the name that the certificate has', async () => {
  const { server, port } = await serve({ credentials })
  await emailTo(port, { login: { user: 'u', password: 'p' } }).send([notice('all is not well')], forever)
  const [mail] = server.mails
  assert.deepEqual(
    [mail?.from, mail?.to, mail?.isEncrypted, mail?.login],
    ['castellan@example.com', 'ops@example.com', true, 'u:p'],
  )
  const text = readable(mail!.content)
  assert.match(text, /^Subject: \[Castellan\] Test: all is not well$/m)
  assert.match(text, /^Auto-Submitted: auto-generated$/m)
  assert.match(text, /Nothing is wrong: somebody has asked for it/)
  assert.match(text, /Castellan on gate/)
  assert.deepEqual(
    server.overheard.map((line) => line.split(' ')[0]),
    ['EHLO', 'STARTTLS'],
  )
})

test('several notices are one mail', async () => {
  const { server, port } = await serve({ credentials })
  await emailTo(port).send([notice('one'), notice('two')], forever)
  assert.equal(server.mails.length, 1)
  const text = readable(server.mails[0]!.content)
  assert.match(text, /^Subject: \[Castellan\] 2 notices: Test: one, and more$/m)
  assert.match(text, /Test: one\n[\s\S]*-{40}\n[\s\S]*Test: two\n/)
})

test('smtps is TLS from the first byte', async () => {
  const { server, port } = await serve({ credentials, isSecure: true })
  await emailTo(port, { server: { host: '127.0.0.1', port, isSecure: true } }).send([notice('x')], forever)
  assert.equal(server.mails[0]?.isEncrypted, true)
  assert.deepEqual(server.overheard, [])
})

for (const isSecure of [false, true])
  test(`a certificate that nobody trusted has signed is refused, and nothing is sent (${isSecure ? 'smtps' : 'STARTTLS'})`, async () => {
    const { server, port } = await serve({ credentials, isSecure })
    const email = emailTo(port, { trust: undefined, server: { host: '127.0.0.1', port, isSecure } })
    await assert.rejects(email.send([notice('x')], forever), { code: 'notify-unreachable', message: /certificate/ })
    assert.deepEqual(server.mails, [])
  })

test('a STARTTLS that fails is no reason to go on without', async () => {
  const { server, port } = await serve({ credentials, answers: { STARTTLS: '454 not today' } })
  await assert.rejects(emailTo(port).send([notice('x')], forever), { message: /not today|STARTTLS/ })
  assert.deepEqual(server.mails, [])
})

test('a server that offers no TLS gets mail, and no password unless it is this machine', async () => {
  const { server, port } = await serve()
  await emailTo(port).send([notice('x')], forever)
  await emailTo(port, { login: { user: 'u', password: 'p' } }).send([notice('x')], forever)
  assert.deepEqual(
    server.mails.map(({ login }) => login),
    [undefined, 'u:p'],
  )
  // 0.0.0.0 is this machine too, but nothing that says so.
  const elsewhere = emailTo(port, {
    login: { user: 'u', password: 'p' },
    server: { host: '0.0.0.0', port, isSecure: false },
  })
  await assert.rejects(elsewhere.send([notice('x')], forever), { message: /not here|STARTTLS/ })
  assert.equal(server.mails.length, 2)
})

test('the words of a server that refuses are kept', async () => {
  const { port } = await serve({ answers: { RCPT: '550 5.1.1 nobody of that name' } })
  await assert.rejects(emailTo(port).send([notice('x')], forever), {
    code: 'notify-refused',
    message: 'The mail server 127.0.0.1 refused: 550 5.1.1 nobody of that name',
  })
})

test('nobody who listens is an error', async () => {
  const { server, port } = await serve()
  server.close()
  await assert.rejects(emailTo(port).send([notice('x')], forever), {
    code: 'notify-unreachable',
    message: /ECONNREFUSED/,
  })
})

for (const at of ['GREETING', 'EHLO', 'DATA'])
  test(`a server that says nothing to ${at} is given up after 45 s, and its connection closed`, async () => {
    const { server, port } = await serve({ answers: { [at]: undefined } })
    const clock = new FakeClock()
    const sending = emailTo(port, { clock }).send([notice('x')], forever)
    sending.catch(() => {})
    const isThere = (): boolean =>
      at === 'GREETING' ? server.open > 0 : server.overheard.some((line) => line.startsWith(at))
    while (!isThere()) await turn()
    await clock.advance(45_000)
    await assert.rejects(sending, { code: 'notify-timeout', message: /within 45 seconds/ })
    while (server.open > 0) await turn()
    assert.equal(clock.sleeping, 0)
  })

test('a stop ends what is under way', async () => {
  const { server, port } = await serve({ answers: { GREETING: undefined } })
  const stopping = new AbortController()
  const sending = emailTo(port).send([notice('x')], stopping.signal)
  while (server.open === 0) await turn()
  stopping.abort(new Error('stopping'))
  await assert.rejects(sending, /stopping/)
  while (server.open > 0) await turn()
})

test('what a name or a CA brings in makes no header of its own', async () => {
  const { server, port } = await serve()
  await emailTo(port).send([notice('x\r\nBcc: everybody@example.com\r\n\r\n.\r\nQUIT')], forever)
  const [head] = server.mails[0]!.content.split('\n\n')
  assert.doesNotMatch(head!, /^Bcc:/m)
  assert.equal(server.mails.length, 1)
})
