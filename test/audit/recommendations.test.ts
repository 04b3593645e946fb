import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AuditedCertificate, AuditedSite, AuditFacts } from '../../src/audit/facts.ts'
import { audit, recommendations } from '../../src/audit/recommendations.ts'
import type { Balance } from '../../src/certificates/ledger/order-facts.ts'
import type { CertificateReport } from '../../src/certificates/report.ts'
import { formatAudit } from '../../src/cli/audit.ts'

const DAY = 86_400_000
const NOW = Date.parse('2026-11-24T12:00:00Z')

const site: AuditedSite = {
  name: 'a.example',
  redirectToHttps: true,
  hsts: { mode: 'on', maxAgeSeconds: 5_184_000, includeSubdomains: false, preload: false },
  keys: ['ecdsa-p256', 'rsa-2048'],
  grouping: 'perSite',
  isOwn: false,
  issuers: ['letsencrypt', 'zerossl'],
}

function certificate(
  more: { readonly [K in keyof CertificateReport]?: unknown } = {},
  facts: Partial<AuditedCertificate> = {},
): AuditedCertificate {
  const held = { from: {}, notBefore: NOW - 30 * DAY, notAfter: NOW + 60 * DAY, isUnstored: false }
  const report = { id: 'a.example.ecdsa-p256', site: 'a.example', names: ['a.example'], keyKind: 'ecdsa-p256' }
  const rest = { issuers: ['letsencrypt'], held, standIns: [], step: { type: 'keep', renewAt: NOW + 30 * DAY } }
  return {
    report: { ...report, ...rest, ...more } as unknown as CertificateReport,
    renewalInfoAskAt: NOW + DAY / 4,
    hasResponder: true,
    hasStaple: true,
    keyDigest: 'a',
    ...facts,
  }
}

/** Of the orders of one account. */
function balance(left: number): Balance {
  return {
    authority: 'https://ca.test/directory',
    kind: 'orders',
    subject: 'account',
    limit: undefined,
    left,
    moreAt: NOW,
  }
}

/** An installation that keeps all of it. */
const model: AuditFacts = {
  onDemand: undefined,
  now: NOW,
  isRunning: true,
  sites: [site],
  listen: { https: [], http: [{ type: 'tcp', host: undefined, port: 80 }] },
  acceptTerms: true,
  logLevel: 'info',
  certificates: [certificate()],
  accounts: [{ issuer: 'letsencrypt', url: 'https://ca.test/account/1', keyDigest: 'b' }],
  storage: { folder: '/data', exists: true, mode: 0o700, volatile: undefined },
  balances: [balance(3)],
}

/** Each recommendation fails for this, and for this alone. */
const failures: Record<string, Partial<AuditFacts>> = {
  'second-ca': { sites: [{ ...site, issuers: ['letsencrypt'] }] },
  terms: { acceptTerms: false },
  accounts: { accounts: [{ issuer: 'letsencrypt', url: undefined, keyDigest: 'b' }] },
  'account-key': { certificates: [certificate({}, { keyDigest: 'b' })] },
  'durable-storage': { storage: { ...model.storage, volatile: 'in memory' } },
  'private-storage': { storage: { ...model.storage, mode: 0o755 } },
  'port-80': { listen: { https: [], http: [] } },
  redirect: {
    listen: { ...model.listen, https: [{ type: 'tcp', host: undefined, port: 443 }] },
    sites: [{ ...site, redirectToHttps: false }],
  },
  hsts: { sites: [{ ...site, hsts: { ...site.hsts!, maxAgeSeconds: 5_184_001 } }] },
  'errors-reported': { logLevel: 'error' },
  'every-name': { sites: [site, { ...site, name: 'b.example' }] },
  'both-kinds': { sites: [{ ...site, keys: ['rsa-2048', 'rsa-4096'] }] },
  'key-kinds': { certificates: [certificate({ keyKind: undefined })] },
  'names-per-certificate': { certificates: [certificate({ names: Array.from({ length: 101 }, () => 'a.example') })] },
  reuse: { certificates: [certificate({ fault: 'damaged' })] },
  stapling: { certificates: [certificate({}, { hasStaple: false })] },
  'renewed-in-time': {
    certificates: [
      certificate({ held: { from: {}, notBefore: NOW - 70 * DAY, notAfter: NOW + 20 * DAY, isUnstored: false } }),
    ],
  },
  ari: { certificates: [certificate({}, { renewalInfoAskAt: NOW - DAY / 8 })] },
  spread: { certificates: Array.from({ length: 20 }, () => certificate()) },
  'rate-limits': { balances: [balance(3), balance(0)] },
  retries: { certificates: [certificate({ attempts: { failures: 3, lastAt: NOW, nextAt: NOW + 60_000 } })] },
}

/** What cannot fail: without a program there is nobody to be asked, and that is no fault. */
const UNFAILING = new Set(['early-retry'])

function failed(facts: AuditFacts): string[] {
  return audit(facts).flatMap(({ id, verdict }) => (verdict === 'fail' ? [id] : []))
}

test('an installation that keeps the guide passes, with evidence for each', () => {
  assert.deepEqual(failed(model), [])
  for (const { id, text, evidence } of audit(model)) {
    assert.ok(text.endsWith('.'), id)
    assert.ok(evidence.length > 0, id)
  }
  assert.equal(new Set(recommendations.map(({ id }) => id)).size, recommendations.length)
})

for (const { id } of recommendations)
  if (!UNFAILING.has(id))
    test(`${id} can fail, and for its own reason`, () => {
      assert.deepEqual(failed({ ...model, ...failures[id] }), [id])
    })

test('with the internal CA alone, what is about CAs does not apply', () => {
  const facts = { ...model, sites: [{ ...site, issuers: ['internal'] }], accounts: [], acceptTerms: false }
  assert.deepEqual(failed(facts), [])
  const none = audit(facts).filter(({ verdict }) => verdict === 'not applicable')
  assert.deepEqual(
    none.map(({ id }) => id).filter((id) => ['second-ca', 'terms', 'accounts', 'account-key'].includes(id)),
    ['second-ca', 'terms', 'accounts', 'account-key'],
  )
})

test('a lifetime under ten days wants half of it', () => {
  const held = (leftDays: number) => ({
    from: {},
    notBefore: NOW + (leftDays - 6) * DAY,
    notAfter: NOW + leftDays * DAY,
  })
  assert.deepEqual(failed({ ...model, certificates: [certificate({ held: held(2.5) })] }), [])
  assert.deepEqual(failed({ ...model, certificates: [certificate({ held: held(2.3) })] }), ['renewed-in-time'])
})

test('the table says what is kept, with the evidence below', () => {
  const text = formatAudit(audit({ ...model, acceptTerms: false }))
  assert.match(text, /^fail +terms +The operator has agreed to the terms of the CA\.\n {4}acceptTerms is not set\n/m)
  assert.match(text, /\n\d+ kept, 1 not kept, \d+ not applicable here\.\n$/)
})
