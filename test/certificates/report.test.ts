import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CertificateReport } from '../../src/certificates/report.ts'
import { reportStored } from '../../src/certificates/stored-report.ts'
import { wantedCertificates } from '../../src/certificates/wanted.ts'
import { DAY, HOUR, Machine } from './machine.ts'

const SITE = {
  site: 'a.test',
  names: ['a.test'],
  keys: ['ecdsa-p256'],
  grouping: 'perSite',
  mustStaple: false,
  issuersFor: () => ['ca'],
} as const

function stored(machine: Machine, site = {}, isFull = false): Promise<CertificateReport[]> {
  const { ca, second, storage, localClock: clock, ownFiles } = machine
  const issuers = new Map([ca, second].map((issuer) => [issuer.name, issuer]))
  return reportStored({ wanted: wantedCertificates([{ ...SITE, ...site }]), ownFiles, issuers, storage, clock, isFull })
}

test('a report has what the certificate, its CA and the plan say', async () => {
  const machine = new Machine()
  const start = machine.clock.now()
  machine.ca.renewalInfo = async ({ notBefore }) => ({
    windowStart: notBefore + 20 * DAY,
    windowEnd: notBefore + 30 * DAY,
    explanationUrl: 'https://ca.example/why',
    retryAfterMs: undefined,
  })
  await machine.start()
  await machine.untilLogged('renewal-suggested')
  const [report] = machine.certificates.report('a.test')
  const { held, step, suggestion } = report!
  assert.deepEqual(report!.names, ['a.test'])
  assert.equal(report!.keyKind, 'ecdsa-p256')
  assert.deepEqual(held!.from, { issuer: 'ca', authority: 'https://ca.test/directory', obtainedAt: start })
  assert.match(held!.serial, /^[0-9a-f]+$/)
  assert.match(held!.fingerprint, /^[0-9a-f]{64}$/)
  assert.equal(held!.notAfter, start + 90 * DAY)
  assert.equal(suggestion!.explanationUrl, 'https://ca.example/why')
  assert.deepEqual(step, { type: 'keep', renewAt: suggestion!.renewAt, because: 'its CA suggests it' })
  assert.deepEqual(machine.certificates.report()[0], { ...report, held: { ...held, chain: undefined } })
  await machine.certificates.stop()
})

test('a report holds no secret', async () => {
  const machine = new Machine()
  await machine.start()
  await machine.untilLogged('certificate-issued')
  assert.doesNotMatch(JSON.stringify(machine.certificates.report('a.test')), /PRIVATE|BEGIN/)
  await machine.certificates.stop()
})

test('what is stored gives the same report without the program, and is left as it is', async () => {
  const machine = new Machine()
  machine.second.fail('closed')
  await machine.start({}, { names: ['b.test'], issuersFor: () => ['second'] })
  await machine.untilLogged('certificate-issued')
  await machine.untilLogged('certificate-failed')
  const running = machine.certificates.report()
  await machine.certificates.stop()
  machine.storage.fails = (operation) => !['get', 'list'].includes(operation)
  const second = { site: 'b.test', names: ['b.test'], issuersFor: () => ['second'] }
  assert.deepEqual([...(await stored(machine)), ...(await stored(machine, second))], running)
  assert.equal(running[1]!.attempts!.reason, 'second: closed')
  assert.equal(running[1]!.attempts!.failures, 1)
})

test('tries of other settings count for nothing, as when a program starts', async () => {
  const machine = new Machine()
  machine.ca.fail('closed')
  await machine.start()
  await machine.untilLogged('certificate-failed')
  await machine.certificates.stop()
  machine.ca.settings = 'others'
  const [report] = await stored(machine)
  assert.equal(report!.attempts, undefined)
  assert.deepEqual(report!.step, { type: 'issue', at: 0, because: 'there is none yet' })
})

test('what is damaged is told, and stays where it is', async () => {
  const machine = new Machine()
  await machine.storage.put('certificates/a.test.ecdsa-p256', Buffer.from('{'))
  await machine.storage.put('attempts/a.test.ecdsa-p256', Buffer.from('{'))
  const [report] = await stored(machine)
  assert.match(report!.fault!, /^memory:certificates\/a\.test\.ecdsa-p256 is damaged: The record is not JSON/)
  assert.equal(report!.held, undefined)
  assert.equal(report!.attempts, undefined)
  assert.equal(machine.storage.aside.size, 0)
})

test('what stands in for a missing certificate is told, with and without the program', async () => {
  const machine = new Machine()
  await machine.start()
  await machine.untilLogged('certificate-issued')
  await machine.certificates.stop()
  machine.ca.fail('closed')
  const site = { names: ['a.test', 'www.a.test'] }
  await machine.start(site)
  const expected = [{ names: ['a.test'], notAfter: machine.clock.now() + 90 * DAY }]
  assert.deepEqual(machine.certificates.report()[0]!.standIns, expected)
  await machine.certificates.stop()
  assert.deepEqual((await stored(machine, site))[0]!.standIns, expected)
})

test('an order under way is told since when', async () => {
  const machine = new Machine()
  machine.ca.before = (_request, signal) =>
    new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  await machine.start()
  await machine.until(() => machine.ca.requests.length === 1)
  const since = machine.clock.now()
  await machine.clock.advance(HOUR)
  assert.equal(machine.certificates.report()[0]!.orderedSince, since)
  await machine.certificates.stop()
})

test('files of one’s own that cannot be used are told with the reason', async () => {
  const machine = new Machine()
  machine.ownFiles = [
    { site: 'own.test', names: ['own.test'], files: [{ certificate: '/none.crt', key: '/none.key' }] },
  ]
  for (const report of [(await stored(machine))[1]!, await running(machine)]) {
    assert.equal(report.id, '/none.crt')
    assert.deepEqual(report.step, { type: 'watch', certificate: '/none.crt', key: '/none.key' })
    assert.match(report.fault!, /ENOENT/)
    assert.deepEqual(report.issuers, [])
  }
})

async function running(machine: Machine): Promise<CertificateReport> {
  await machine.start()
  const [report] = machine.certificates.report('own.test')
  await machine.certificates.stop()
  return report!
}
