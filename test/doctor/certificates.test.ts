import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CertificateReport } from '../../src/certificates/report.ts'
import { examineCertificate } from '../../src/doctor/certificates.ts'

const DAY = 86_400_000
const NOW = Date.parse('2026-11-24T12:00:00Z')
const failed = { failures: 2, unfinished: 0, looks: 0, lastAt: NOW - DAY, nextAt: NOW, reason: 'no answer' }

function examined(more: { readonly [K in keyof CertificateReport]?: unknown }): string {
  const held = { notBefore: NOW - 30 * DAY, notAfter: NOW + 60 * DAY }
  const report = { names: ['a.test', 'b.test'], keyKind: 'rsa-2048', standIns: [], step: { type: 'keep' }, held }
  const { level, seen, advice } = examineCertificate({ ...report, ...more } as unknown as CertificateReport, NOW)
  assert.equal(advice === undefined, level === 'ok')
  return `${level} ${seen}`
}

test('how it stands with a certificate, from good to gone', () => {
  assert.equal(examined({}), 'ok good until 2027-01-23T12:00:00Z (60 days)')
  assert.equal(
    examined({ attempts: failed }),
    'warn good until 2027-01-23T12:00:00Z (60 days); the last try: no answer',
  )
  const ending = { notBefore: NOW - 80 * DAY, notAfter: NOW + 10 * DAY }
  assert.equal(examined({ held: ending }), 'fail ends soon, good until 2026-12-04T12:00:00Z (10 days)')
  const over = { notBefore: NOW - 90 * DAY, notAfter: NOW }
  assert.equal(examined({ held: over }), 'fail expired 2026-11-24T12:00:00Z')
  assert.equal(examined({ fault: 'it is damaged' }), 'fail it is damaged')
})

test('one that is not there yet is wrong only once it has failed, and nothing stands in for it', () => {
  assert.equal(examined({ held: undefined }), 'warn none yet')
  assert.equal(examined({ held: undefined, attempts: failed }), 'fail none yet; the last try: no answer')
  assert.equal(
    examined({ held: undefined, attempts: failed, orderedSince: NOW }),
    'warn none yet; the last try: no answer',
  )
  const standIns = [{ names: ['a.test'], notAfter: NOW + DAY }]
  assert.equal(examined({ held: undefined, attempts: failed, standIns }), 'warn none yet; the last try: no answer')
})
