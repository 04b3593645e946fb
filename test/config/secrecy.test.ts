import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { type Files, problemsOf } from './config-folder.ts'

const SECRET = 'hunter2 is not base64url'

const account = (hmacKey: string): string =>
  `sites: { a.example: http://h }\nissuers:\n  corp:\n    directory: https://ca.example\n    externalAccount:\n      kid: a\n      hmacKey: ${hmacKey}\n`

/** Configs with something wrong about a secret, or right beside one. */
const configs: Record<string, string | Files> = {
  'a literal key': account(JSON.stringify(SECRET)),
  'a key from the environment': account('env:SECRET'),
  'a key from a variable': account(`\${SECRET}`),
  'a key from a file': { 'castellan.yaml': account('file:secret'), secret: SECRET },
  'a key in a list': account(JSON.stringify([SECRET])),
  'a key with a broken variable': account(JSON.stringify(`${SECRET}\${`)),
  'a key under another name': account('x').replace('hmacKey', 'hmacKy').replace(/x\n$/, `${SECRET}\n`),
  'a key that is not YAML': account(`"${SECRET}" ${SECRET}`),
  'a quoted key without its end': account(`"${SECRET}`),
  'a key in the place of its account': account('x').replace(/Account:[\s\S]*$/, `Account: ${SECRET}\n`),
  'a password with a slash': `sites: { a.example: "http://u:hunter2/x@h" }`,
  'a password without a scheme': `sites: { a.example: "u:hunter2@h:1" }`,
  'a key twice': `${account(SECRET)}      hmacKey: ${SECRET}\n`,
  'an upstream from the environment': `sites: { a.example: "\${SECRET}" }`,
  'a misspelt word from the environment': `sites: { a.example: http://h }\nlog: { level: "\${SECRET}" }`,
  'a database': `storage: postgres://u:${encodeURIComponent(SECRET)}hunter2@db\nsites: { a.example: http://h }`,
  'an unbuilt key': `sites: { a.example: http://h }\nadmin: { token: ${SECRET} }`,
  'a secret of a webhook': `sites: { a.example: http://h }\nnotify: [{ webhook: ftp://h/x, secret: ${SECRET} }]`,
  'the address of a webhook': `sites: { a.example: http://h }\nnotify: { webhook: ftp://h/hunter2 }`,
  'the address of a webhook in the place of its mapping': `sites: { a.example: http://h }\nnotify: https://h/hunter2`,
  'the address of a webhook as an item': `sites: { a.example: http://h }\nnotify: [ https://h/hunter2 ]`,
  'a password without a user': `sites: { a.example: http://h }\nnotify: { email: a@b.c, smtp: smtp://h, password: ${SECRET} }`,
  'a password in the address of a mail server': `sites: { a.example: http://h }\nnotify: { email: a@b.c, smtp: "smtp://u:hunter2@h" }`,
  'a password in the place of its hash': `sites: { a.example: { upstream: "http://h", auth: { basic: { alice: ${SECRET} } } } }`,
  'a password in a list of users': `sites: { a.example: { upstream: "http://h", auth: { basic: "alice:${SECRET}" } } }`,
  'a user in the place of auth': `sites: { a.example: { upstream: "http://h", auth: "alice:hunter2" } }`,
  'an encrypted private key': {
    'castellan.yaml':
      'sites: { a.example: { upstream: http://h, certificate: { files: [{ certificate: k, key: k }] } } }',
    k: `-----BEGIN ENCRYPTED PRIVATE KEY-----\n${SECRET}\n-----END ENCRYPTED PRIVATE KEY-----\n`,
  },
}

for (const [what, config] of Object.entries(configs)) {
  test(`a secret never shows in a problem: ${what}`, async () => {
    const problems = await problemsOf(config, { SECRET })
    assert.notEqual(problems.length, 0)
    assert.doesNotMatch(inspect(problems), /hunter2/)
  })
}
