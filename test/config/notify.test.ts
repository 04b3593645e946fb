import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadGood } from './config-folder.ts'
import { makePair } from './pem-pair.ts'
import { type Case, GOOD, testRefusals } from './refusal-cases.ts'

const KEYS = 'allowed: webhook, secret, email, smtp, user, password, from, trust'
const SMTP = 'allowed: smtp://host:587 (TLS by STARTTLS) or smtps://host:465 (TLS from the start)'
const WEBHOOK = 'allowed: an https:// URL, such as "https://hooks.example.com/x"; http:// in a network of your own'
const LIST = 'allowed: a list of mappings with webhook, or with email and smtp'
const PASSWORD = 'allowed: the secret, env:NAME for an environment variable, or file:PATH for a file that holds it'

const notify = (settings: string): string => `${GOOD}notify:\n  - ${settings}\n`
const mail = (settings: string): string => notify(`{ email: a@b.example, ${settings} }`)

const cases: Case[] = [
  ['a word for notify', `${GOOD}notify: on`, `2:9: notify: found a value; ${LIST}`],
  [
    'an unknown key of notify',
    notify('{ webhok: https://h/x }'),
    `3:7: notify[0].webhok: unknown key; did you mean "webhook"? ${KEYS}`,
  ],
  [
    'an item of notify without an address',
    notify('{ trust: ./x }'),
    '3:5: notify[0]: found neither webhook nor email; give one of them',
  ],
  [
    'webhook and email in one',
    mail('webhook: https://h/x, smtp: smtp://h'),
    '3:5: notify[0]: found webhook and email together; give each its own item of the list',
  ],
  [
    'an email without a server',
    notify('{ email: a@b.example }'),
    '3:5: notify[0]: found email without smtp; name the mail server: smtp://host:587',
  ],
  [
    'a server without an email',
    notify('{ smtp: smtp://h }'),
    '3:5: notify[0]: found smtp without email; say who gets the mail: email',
  ],
  [
    'a user without a password',
    mail('smtp: smtp://h, user: u'),
    '3:5: notify[0]: found user without password; give the password, as env:NAME or file:PATH',
  ],
  [
    'a password without a user',
    mail('smtp: smtp://h, password: p'),
    '3:5: notify[0]: found password without user; name the user that it is of',
  ],
  ['a mail server without a scheme', mail('smtp: mail.example'), `3:33: notify[0].smtp: found "mail.example"; ${SMTP}`],
  ['a mail server with a path', mail('smtp: smtp://h/x'), `3:33: notify[0].smtp: found "smtp://h/x"; ${SMTP}`],
  ['a mail server by HTTP', mail('smtp: https://h'), `3:33: notify[0].smtp: found "https://h"; ${SMTP}`],
  ['a webhook by FTP', notify('{ webhook: ftp://h/x }'), `3:16: notify[0].webhook: found a value; ${WEBHOOK}`],
  [
    'a webhook with a password',
    notify('{ webhook: "https://u:p@h/x" }'),
    `3:16: notify[0].webhook: found a value, which has a user name or a password; ${WEBHOOK}`,
  ],
  [
    'a secret that is not set',
    notify('{ webhook: https://h/x, secret: env:NOT_THERE }'),
    '3:37: notify[0].secret: found a value, but the environment variable NOT_THERE is not set; set it',
  ],
  [
    'a password in a file that is not there',
    mail('smtp: smtp://h, user: u, password: file:none'),
    `3:62: notify[0].password: found a value, but none cannot be read: there is no such file; ${PASSWORD}`,
  ],
]

testRefusals(cases)

test('notify is empty unless set, and one item may stand without brackets', async () => {
  assert.deepEqual((await loadGood(GOOD)).config.notify, [])
  const { config } = await loadGood(`${GOOD}notify: { webhook: https://h/x }`)
  assert.deepEqual(config.notify, [{ type: 'webhook', url: 'https://h/x', secret: undefined, trust: undefined }])
})

test('secrets come from the environment and from files, the address of a webhook too', async () => {
  const { certificate } = await makePair('mail.example')
  const { config } = await loadGood(
    {
      'castellan.yaml': `${GOOD}notify:
  - { webhook: env:HOOK, secret: file:secret }
  - { email: a@b.example, smtp: smtps://mail.example, user: u, password: env:SMTP, from: c@d.example, trust: ca.pem }`,
      secret: 'quiet\n',
      'ca.pem': certificate,
    },
    { HOOK: 'https://h/x', SMTP: 'p' },
  )
  const [webhook, email] = config.notify
  assert.deepEqual(webhook, { type: 'webhook', url: 'https://h/x', secret: 'quiet', trust: undefined })
  assert.equal(email?.trust?.trim(), certificate.trim())
  assert.deepEqual(
    { ...email, trust: undefined },
    {
      type: 'email',
      to: 'a@b.example',
      from: 'c@d.example',
      server: { host: 'mail.example', port: 465, isSecure: true },
      login: { user: 'u', password: 'p' },
      trust: undefined,
    },
  )
})

for (const [settings, from] of [
  ['user: u@d.example, password: p', 'u@d.example'],
  ['user: u, password: p', 'a@b.example'],
  ['from: c@d.example', 'c@d.example'],
] as const)
  test(`with ${settings}, mail comes from ${from}`, async () => {
    const { config } = await loadGood(mail(`smtp: "smtp://[::1]", ${settings}`))
    const [target] = config.notify
    assert.ok(target?.type === 'email')
    assert.equal(target.from, from)
    assert.deepEqual(target.server, { host: '::1', port: 587, isSecure: false })
  })
