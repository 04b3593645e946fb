import assert from 'node:assert/strict'
import { test } from 'node:test'
import { unpack } from '../../src/certificates/packed-certificate.ts'
import { CastellanError } from '../../src/errors.ts'
import { FakeClock } from '../fakes/fake-clock.ts'
import { FakeIssuer } from '../fakes/fake-issuer.ts'
import { DAY, Machine } from './machine.ts'
import { weakIntermediate } from './weak-chain.ts'

const foreign = await new FakeIssuer('x', new FakeClock()).issue(
  { names: ['other.test'], keyKind: 'ecdsa-p256' },
  new AbortController().signal,
)
const otherKind = await new FakeIssuer('x', new FakeClock()).issue(
  { names: ['a.test'], keyKind: 'ecdsa-p384' },
  new AbortController().signal,
)

const weak = await weakIntermediate('a.test')

test('the next issuer is asked when one fails, within the same try', async () => {
  const machine = new Machine()
  machine.ca.fail('closed')
  await machine.start({ issuersFor: () => ['ca', 'second'] })
  await machine.untilLogged('certificate-issued')
  assert.match(machine.log.of('certificate-issued')[0]!.message, /from second/)
  const [passedOn] = machine.log.of('certificate-passed-on')
  assert.equal(passedOn!.level, 'warn')
  assert.match(passedOn!.message, /^ca did not give the ecdsa-p256 .* a\.test: closed\. Now second is asked\.$/)
  machine.second.fail('closed too')
  await machine.live(80 * DAY)
  assert.match(machine.log.of('certificate-failed')[0]!.message, /ca: closed\. second: closed too\. The next/)
  await machine.certificates.stop()
})

test('what cannot be served is refused: another key’s, or another name’s certificate', async () => {
  for (const [answer, words] of [
    [(issued: { chain: string; privateKey: string }) => ({ ...issued, chain: foreign!.chain }), /is not for a\.test/],
    [
      (issued: { chain: string; privateKey: string }) => ({ ...issued, chain: issued.chain + issued.privateKey }),
      /holds a PRIVATE KEY/,
    ],
    [(issued: { chain: string; privateKey: string }) => ({ ...issued, chain: '' }), /The certificate chain is empty/],
    [() => otherKind, /another kind than ecdsa-p256/],
    [() => weak, /OpenSSL does not serve .*: ca key too small\./],
  ] as const) {
    const machine = new Machine()
    machine.ca.answer = answer
    await machine.start()
    await machine.untilLogged('certificate-failed')
    assert.match(machine.log.of('certificate-failed')[0]!.message, words)
    assert.doesNotMatch(JSON.stringify(machine.log.entries), /-----BEGIN|MIG[A-Z]/)
    assert.equal(machine.certificates.state.held.length, 0)
    assert.deepEqual(await machine.storage.list('certificates'), [])
    await machine.certificates.stop()
  }
})

for (const [what, given] of [
  ['with a name more', ['a.test', 'www.a.test']],
  ['for a wildcard that covers the name', ['*.test']],
] as const)
  test(`a certificate ${what} is good, and not ordered again, nor after a restart`, async () => {
    const machine = new Machine()
    const issue = machine.ca.issue.bind(machine.ca)
    machine.ca.issue = (request, signal) => issue({ ...request, names: given }, signal)
    await machine.start()
    await machine.untilLogged('certificate-issued')
    await machine.live(DAY)
    await machine.certificates.stop()
    await machine.start()
    await machine.live(DAY)
    assert.deepEqual(machine.certificates.state.held[0]?.names, ['a.test'])
    assert.equal(machine.ca.requests.length, 1)
    await machine.certificates.stop()
  })

test('a Retry-After that is no number of milliseconds is no wait', async () => {
  for (const nonsense of [Number.NaN, -1, Number.NEGATIVE_INFINITY]) {
    const machine = new Machine()
    machine.ca.fail('slow down', nonsense)
    await machine.start()
    await machine.untilLogged('certificate-failed')
    await machine.live(59_000)
    assert.equal(machine.ca.requests.length, 1)
    await machine.live(1_000)
    assert.equal(machine.ca.requests.length, 2)
    await machine.certificates.stop()
  }
})

test('who is stopped asks no further issuer', async () => {
  const machine = new Machine()
  machine.ca.before = (_request, signal) =>
    new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('broke off'))))
  await machine.start({ issuersFor: () => ['ca', 'second'] })
  await machine.until(() => machine.ca.requests.length === 1)
  await machine.certificates.stop()
  assert.equal(machine.second.requests.length, 0)
  assert.equal(machine.log.of('certificate-passed-on').length, 0)
})

test('a chain is stored and served as every reader of PEM takes it, however the CA writes it', async () => {
  const machine = new Machine()
  let written = ''
  machine.ca.answer = ({ chain, privateKey }) => {
    written = chain
    // OpenSSL passes over a block that does not begin its line.
    return { chain: ` \t${chain.replaceAll('\n', ' ')}`, privateKey }
  }
  await machine.start()
  await machine.untilLogged('certificate-issued')
  assert.equal(unpack(machine.certificates.state.held[0]!.packed).chain, written)
  const record = JSON.parse(String(await machine.storage.get('certificates/a.test.ecdsa-p256')))
  assert.equal(record.chain, written)
  await machine.certificates.stop()
})

test('what OpenSSL does not serve replaces nothing', async () => {
  const machine = new Machine()
  await machine.start()
  await machine.untilLogged('certificate-issued')
  const before = machine.certificates.state.held
  const stored = await machine.storage.get('certificates/a.test.ecdsa-p256')
  machine.ca.answer = () => weak
  await machine.live(70 * DAY)
  assert.match(machine.log.of('certificate-failed')[0]!.message, /ca key too small/)
  assert.deepEqual(machine.certificates.state.held, before)
  assert.deepEqual(await machine.storage.get('certificates/a.test.ecdsa-p256'), stored)
  await machine.certificates.stop()
})

/** What may be over in a minute. */
function falter(machine: Machine): void {
  machine.ca.before = async () => {
    throw Object.assign(new CastellanError('unavailable', 'back soon'), { transient: true })
  }
}
const two = { issuersFor: () => ['ca', 'second'] }

test('what the first issuer may soon repair is waited for, as long as what serves is good', async () => {
  const machine = new Machine()
  await machine.start(two)
  await machine.untilLogged('certificate-issued')
  falter(machine)
  await machine.live(61 * DAY)
  assert.equal(machine.second.requests.length, 1)
  assert.equal(machine.ca.requests.length, 4)
  assert.match(machine.log.of('certificate-renewed')[0]!.message, /from second/)
  const waits = machine.log
    .of('certificate-failed')
    .map(({ message }) => /next try is in (\d+ minutes?)/.exec(message)![1])
  assert.deepEqual(waits, ['1 minute', '10 minutes'])
  await machine.certificates.stop()
})

test('where nothing serves, the next issuer is asked at once whatever the first has', async () => {
  const machine = new Machine()
  falter(machine)
  await machine.start(two)
  await machine.untilLogged('certificate-issued')
  assert.match(machine.log.of('certificate-issued')[0]!.message, /from second/)
  await machine.certificates.stop()
})

test('what the first issuer cannot soon repair is passed on at once, and it is preferred again at the next renewal', async () => {
  const machine = new Machine()
  await machine.start(two)
  await machine.untilLogged('certificate-issued')
  machine.ca.fail('no more certificates for you')
  await machine.live(61 * DAY)
  assert.match(machine.log.of('certificate-renewed')[0]!.message, /from second/)
  assert.equal(machine.log.of('certificate-failed').length, 0)
  machine.ca.recover()
  await machine.live(61 * DAY)
  assert.match(machine.log.of('certificate-renewed')[1]!.message, /from ca/)
  await machine.certificates.stop()
})
