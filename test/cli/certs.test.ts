import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CertificateReport, HeldReport } from '../../src/certificates/report.ts'
import { readArguments, type Takes } from '../../src/cli/certs/arguments.ts'
import { formatList, formatParked } from '../../src/cli/certs/list.ts'
import { formatLeft, formatOutcome } from '../../src/cli/certs/order.ts'
import { formatPlan } from '../../src/cli/certs/plan.ts'
import { formatWhole } from '../../src/cli/certs/show.ts'
import { formatSpread } from '../../src/cli/certs/spread.ts'

const DAY = 86_400_000
const NOW = Date.parse('2026-11-26T17:00:00Z')

const facts = {
  subject: '',
  issuer: 'CN=E7, O=CA',
  serial: '0a1b',
  fingerprint: 'ab'.repeat(32),
  notBefore: NOW - 30 * DAY,
  notAfter: NOW + 60 * DAY,
}
const held: HeldReport = {
  ...facts,
  names: ['a.test'],
  from: { issuer: 'ca', authority: 'https://ca.test/dir', obtainedAt: NOW - 30 * DAY },
  isUnstored: false,
  chain: undefined,
}
const good: CertificateReport = {
  id: 'a.test.ecdsa-p256',
  site: 'a.test',
  names: ['a.test'],
  keyKind: 'ecdsa-p256',
  issuers: ['ca'],
  held,
  step: { type: 'keep', renewAt: NOW + 30 * DAY, because: 'about a third of its lifetime is left' },
  orderedSince: undefined,
  attempts: undefined,
  suggestion: undefined,
  outage: undefined,
  standIns: [],
  leftOut: [],
  fault: undefined,
}
const failed: CertificateReport = {
  ...good,
  id: 'b.test.rsa-2048',
  names: ['b.test', 'www.b.test'],
  keyKind: 'rsa-2048',
  held: undefined,
  step: { type: 'issue', at: NOW + 600_000, because: 'there is none yet' },
  attempts: { failures: 2, unfinished: 0, looks: 0, lastAt: NOW - 60_000, nextAt: NOW + 600_000, reason: 'ca: no' },
}
const missing: CertificateReport = {
  ...failed,
  names: ['c.test'],
  attempts: undefined,
  step: { type: 'issue', at: 0, because: 'there is none yet' },
}
const own: CertificateReport = {
  ...good,
  id: '/etc/own.crt',
  names: ['own.test'],
  issuers: [],
  held: { ...held, from: undefined, notAfter: NOW - DAY / 24 },
  step: { type: 'watch', certificate: '/etc/own.crt', key: '/etc/own.key' },
}

test('the list: a row each, and what failed below it', () => {
  assert.equal(
    formatList([good, failed, missing, own, { ...missing, orderedSince: NOW - 1000 }], NOW),
    `NAME       KEY         ISSUER    GOOD UNTIL                   NEXT STEP
a.test     ecdsa-p256  ca        2027-01-25 (60 days)         renew 2026-12-26
b.test +1  rsa-2048    ca        none yet                     order 2026-11-26 17:10Z
    failed 2 times, last at 2026-11-26 16:59Z: ca: no
c.test     rsa-2048    ca        none yet                     order now
own.test   ecdsa-p256  your own  2026-11-26 16:00Z (expired)  reread on change
c.test     rsa-2048    ca        none yet                     ordering now
`,
  )
})

test('the list tells what else an operator should not overlook', () => {
  const text = formatList(
    [
      { ...missing, standIns: [{ names: ['c.test'], notAfter: NOW }], fault: '/data/x is damaged: it is no JSON.' },
      { ...good, held: { ...held, isUnstored: true } },
      { ...missing, attempts: { failures: 0, unfinished: 1, looks: 0, lastAt: NOW, nextAt: 0, reason: '' } },
      {
        ...missing,
        attempts: { failures: 0, unfinished: 0, looks: 2, lastAt: NOW, nextAt: NOW, reason: 'no address' },
      },
    ],
    NOW,
  )
  assert.match(text, /wrong: \/data\/x is damaged/)
  assert.match(text, /meanwhile a former certificate serves c\.test, good until 2026-11-26 17:00Z/)
  assert.match(text, /serves from memory/)
  assert.match(text, /the last try, at 2026-11-26 17:00Z, has not ended yet or was cut short/)
  assert.match(text, /not asked for, as that would fail; last looked at 2026-11-26 17:00Z: no address/)
})

test('the plan: the first thing first, in the words of the plan', () => {
  assert.equal(
    formatPlan([own, good, failed, missing], NOW),
    `NAME       KEY         NEXT STEP  AT                 BECAUSE
c.test     rsa-2048    order      now                there is none yet
b.test +1  rsa-2048    order      2026-11-26 17:10Z  there is none yet
a.test     ecdsa-p256  renew      2026-12-26 17:00Z  about a third of its lifetime is left
own.test   ecdsa-p256  reread     on change          /etc/own.crt is your own
`,
  )
})

test('what waits for a CA that is out of order says so, in the list and in the plan', () => {
  const outage = { issuer: 'ca', since: NOW - 60_000, reason: 'connect ECONNREFUSED', probeAt: NOW + 120_000 }
  const held: CertificateReport = {
    ...missing,
    step: { type: 'issue', at: outage.probeAt, because: 'waits for the CA: ca is out of order' },
    outage,
  }
  const inOneLine = (text: string) => text.replace(/\s+/g, ' ')
  const note =
    'waits for the CA: ca is out of order since 2026-11-26T16:59:00Z (connect ECONNREFUSED); looked at again at 2026-11-26 17:02Z '
  assert.ok(inOneLine(formatList([held], NOW)).endsWith(`order 2026-11-26 17:02Z ${note}`))
  assert.ok(inOneLine(formatPlan([held], NOW)).endsWith(' waits for the CA: ca is out of order '))
  assert.match(formatWhole(held, NOW), /^note +waits for the CA: ca is out of order/m)
})

test('what its CA has paused shows where to go, and what to say then', () => {
  const unpauseUrl = 'https://portal.ca.test/unpause?jwt=x'
  const paused: CertificateReport = {
    ...missing,
    step: { type: 'paused', unpauseUrl, because: 'its CA has paused it' },
  }
  const inOneLine = (text: string) => text.replace(/\s+/g, ' ')
  const advice = `paused: its CA takes no more orders for it: go to ${unpauseUrl} and then say "castellan certs retry c.test"`
  assert.ok(inOneLine(formatList([paused], NOW)).includes(`none yet paused by its CA ${advice}`))
  assert.ok(inOneLine(formatPlan([paused], NOW)).includes(`paused once unpaused its CA has paused it ${advice}`))
  const whole = inOneLine(formatWhole(paused, NOW))
  assert.ok(whole.includes('next step none: its CA has paused it'))
  assert.ok(whole.includes(`note ${advice}`))
})

test('the tables of certificates with names of usual length fit 100 columns', () => {
  const report = { ...failed, names: ['shop.example.com', 'www.example.com'], issuers: ['letsencrypt'] }
  for (const text of [formatList([report], NOW), formatPlan([report, good], NOW)])
    for (const line of text.split('\n')) assert.ok(line.length <= 100, line)
})

test('the whole of one: chain, origin, suggestion with its explanation, tries', () => {
  const text = formatWhole(
    {
      ...good,
      held: { ...held, chain: [{ ...facts, subject: 'CN=E7, O=CA', issuer: 'CN=Root' }] },
      step: { type: 'keep', renewAt: NOW + 3 * DAY, because: 'its CA suggests it' },
      suggestion: {
        window: { start: NOW + 2 * DAY, end: NOW + 4 * DAY },
        renewAt: NOW + 3 * DAY,
        explanationUrl: 'https://ca.test/why',
      },
      attempts: { failures: 1, unfinished: 0, looks: 0, lastAt: NOW, nextAt: NOW + 60_000, reason: 'ca: no' },
    },
    NOW,
  )
  for (const line of [
    /^names +a\.test$/m,
    /^signed by +CN=E7, O=CA$/m,
    /^serial +0a1b$/m,
    /^SHA-256 +(ab){32}$/m,
    /^good from +2026-10-27T17:00:00Z$/m,
    /^good until +2027-01-25T17:00:00Z \(60 days\)$/m,
    /^obtained +at 2026-10-27T17:00:00Z from ca \(https:\/\/ca\.test\/dir\)$/m,
    /^chain +CN=E7, O=CA, signed by CN=Root/m,
    /^next step +renew at 2026-11-29T17:00:00Z: its CA suggests it$/m,
    /^CA suggests +to renew between 2026-11-28T17:00:00Z and 2026-11-30T17:00:00Z/m,
    /https:\/\/ca\.test\/why$/m,
    /^no try before +2026-11-26T17:01:00Z$/m,
    /^note +failed once, last at 2026-11-26 17:00Z: ca: no$/m,
  ])
    assert.match(text, line)
})

test('each outcome is a sentence that says what is next', () => {
  const certificate = { id: 'a.test.rsa-2048', names: ['a.test'], keyKind: 'rsa-2048', left: [] } as const
  const say = (outcome: Parameters<typeof formatOutcome>[0]['outcome']): string =>
    formatOutcome({ type: 'outcome', certificate, outcome })
  assert.equal(
    say({ status: 'failed', reason: 'ca: no', nextAt: NOW }),
    'a.test (rsa-2048): failed. ca: no. The next try is at 2026-11-26 17:00Z.',
  )
  assert.equal(
    say({ status: 'obtained', issuer: 'ca', notAfter: NOW }),
    'a.test (rsa-2048): got one from ca, good until 2026-11-26 17:00Z.',
  )
  assert.match(say({ status: 'not-due', renewAt: NOW, because: 'x' }), /to be renewed at 2026-11-26 17:00Z: x\.$/)
  assert.match(
    say({ status: 'limited', at: NOW, because: 'waits for a rate limit: 5 x in 7 days; next at y' }),
    /^a\.test \(rsa-2048\): not asked for now, it waits for a rate limit: 5 x in 7 days; next at y\.$/,
  )
  assert.match(say({ status: 'own-files' }), /not ordered/)
  assert.equal(say({ status: 'not-revoked', reason: 'ca: no' }), 'a.test (rsa-2048): not revoked. ca: no.')
  const obtained = { status: 'obtained', issuer: 'ca', notAfter: NOW } as const
  const reply = { type: 'outcome', certificate, outcome: obtained } as const
  assert.match(formatOutcome(reply, 'revoke'), /^a\.test \(rsa-2048\) is revoked: got one from ca, /)
  assert.match(formatOutcome(reply, 'import'), /^a\.test \(rsa-2048\): taken over, .*, to be renewed by ca\.$/)
  assert.match(say({ status: 'stopped' }), /stopped/)
})

for (const [takes, args, expected] of [
  ['nothing', ['--config', 'a.yaml', '--json'], { config: 'a.yaml', json: true, name: '' }],
  ['nothing', [], { config: 'castellan.yaml', json: false }],
  ['name', ['Bücher.Example.'], { name: 'xn--bcher-kva.example' }],
  ['name', ['*.A.test'], { name: '*.a.test' }],
  ['name', ['[2001:db8::1]'], { name: '2001:db8::1' }],
  ['name', ['a.test@0123456789ab.rsa-2048'], { name: 'a.test@0123456789ab.rsa-2048' }],
  ['name-or-all', ['--all'], { all: true, name: '' }],
  ['name-and-folder', ['a.test', '--to', 'out'], { name: 'a.test', folder: 'out' }],
  ['name-and-reason', ['a.test'], { name: 'a.test', reason: 'unspecified' }],
  ['name-and-reason', ['a.test', '--reason', 'keyCompromise'], { reason: 'keyCompromise' }],
  ['name-and-reason', ['a.test', '--reason', '4'], { reason: 'superseded' }],
  ['files', ['a.pem', '/b.key'], { files: [`${process.cwd()}/a.pem`, '/b.key'] }],
] as const)
  test(`${takes}: ${args.join(' ') || 'no arguments'}`, () => {
    const given: object = readArguments('certs x', takes as Takes, args)
    assert.deepEqual({ ...given, ...expected }, given)
    assert.ok(!('mistake' in given))
  })

for (const [takes, args, mistake] of [
  ['nothing', ['a.test'], /takes no name$/],
  ['nothing', ['--all'], /Unknown option '--all'/],
  ['name', [], /needs a name$/],
  ['name', [''], /needs a name$/],
  ['name', ['a', 'b'], /takes one name, not 2: a, b$/],
  ['name', ['a', '--to', 'x'], /Unknown option '--to'/],
  ['name-or-all', [], /needs a name$/],
  ['name-or-all', ['a', '--all'], /not both$/],
  ['name-and-folder', ['a'], /needs a folder/],
  ['name-and-folder', ['a', '--to'], /--to/],
  ['name', ['a', '--config'], /--config/],
  ['name-and-reason', ['a', '--reason', 'keyCompromised'], /did you mean "keyCompromise"\?/],
  ['name-and-reason', ['a', '--reason', '9'], /knows no reason "9"; there are unspecified \(0\), keyCompromise \(1\)/],
  ['name-and-reason', ['a', '--reason', 'toString'], /knows no reason "toString"/],
  ['name-and-reason', [], /needs a name$/],
  ['files', [], /needs files/],
] as const)
  test(`${takes} is used wrongly: ${args.join(' ')}`, () => {
    const given = readArguments('certs x', takes, args)
    assert.ok('mistake' in given)
    assert.match(given.mistake, mistake)
    assert.match(given.usage, /^castellan certs x/)
  })

test('a retry says what the limits leave, where something was spent of them', () => {
  const authority = 'https://ca.test/dir'
  const failures = {
    authority,
    kind: 'failures',
    subject: 'a.com',
    moreAt: NOW,
    limit: { count: 5, periodMs: 1 },
  } as const
  assert.equal(formatLeft([{ ...failures, left: 5 }]), '')
  assert.equal(
    formatLeft([
      { ...failures, left: 3 },
      { authority, kind: 'orders', subject: 'x', moreAt: NOW, limit: undefined, left: 0 },
    ]),
    " Before it, the CA's rate limits left 3 of 5 failed authorizations of a.com, 0 orders of one account.",
  )
})

test('what was spread out is a sentence', () => {
  assert.equal(
    formatSpread({ renewals: 600, moved: 590, days: 60, most: 10, mostBefore: 600 }),
    '590 of 600 renewals come earlier: within the next 60 days no day has more than 10, where one had 600.',
  )
  assert.match(formatSpread({ renewals: 3, moved: 0, days: 60, most: 1, mostBefore: 1 }), /^Nothing to spread out/)
})

test('what is parked is shown with the day on which it is archived', () => {
  const parked = { since: NOW, keptUntil: NOW + 30 * 86_400_000, notAfter: NOW + 60 * 86_400_000 }
  const whole = { ...parked, id: 'x', names: ['old.test', 'www.old.test'], keyKind: 'rsa-2048' as const }
  const damaged = { ...parked, id: 'y.rsa-2048', names: [], keyKind: undefined, notAfter: undefined }
  const text = formatParked([whole, damaged], NOW)
  assert.match(text, /^\nPARKED +KEY +GOOD UNTIL +ARCHIVED AT\nold\.test \+1 +rsa-2048 +2027-01-25 +2026-12-26\n/)
  assert.match(text, /\ny\.rsa-2048 +- +damaged +2026-12-26\n$/)
  assert.equal(formatParked([], NOW), '')
})
