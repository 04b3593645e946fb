import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { DAY, Life } from '../fake-ca/life.ts'
import { UNPAUSE_URL } from '../fake-ca/rate-limits.ts'

let life: Life
beforeEach(async () => {
  life = await Life.open()
})
afterEach(() => life.close())

const account = (): string => [...life.ca.accounts.byUrl.keys()][0]!
const ordered = (): number => life.ca.of('newOrder').length
const step = () => life.certificates.report()[0]!.step

/** A certificate that is due, of a name that the CA has paused. */
async function pause(
  names: readonly string[] = ['a.test'],
  keys: readonly ['ecdsa-p256', 'ecdsa-p384'?] = ['ecdsa-p256'],
) {
  const started = { sites: [{ names, keys: keys as ['ecdsa-p256'] }] }
  life.ca.directory.hasRenewalInfo = false
  await life.start(started)
  life.ca.limits.pause(account(), names[0]!)
  await life.certificates.stop()
  await life.clock.advance(62 * DAY)
  await life.start(started)
}

test('a name that the CA has paused is tried no more, and where to go is in the log and in the report', async () => {
  await pause()
  const orders = ordered()
  const [failed] = life.log.of('certificate-failed')
  assert.equal(failed!.level, 'error')
  assert.match(
    failed!.message,
    /There is no next try, for its CA takes no more orders for it: go to https:\/\/portal\.ca\.test/,
  )
  assert.ok(failed!.message.includes(`go to ${UNPAUSE_URL} and then say "castellan certs retry a.test".`))
  assert.equal(failed!.facts.unpauseUrl, UNPAUSE_URL)
  await life.live(20 * DAY)
  assert.equal(ordered(), orders)
  assert.deepEqual([life.served.length, life.log.of('certificate-failed').length], [1, 1])
  const now = step()
  assert.equal(now.type === 'paused' && now.unpauseUrl, UNPAUSE_URL)
})

test('so it is after a restart', async () => {
  await pause()
  const orders = ordered()
  for (let restart = 0; restart < 3; restart++) {
    await life.restart()
    await life.live(DAY)
  }
  assert.deepEqual([ordered(), step().type, life.log.of('certificate-failed').length], [orders, 'paused', 0])
})

test('a retry by hand tries once more: in vain as long as nobody has been there, and then well', async () => {
  await pause()
  const orders = ordered()
  const [vain] = await life.certificates.retry({ name: 'a.test' })
  await life.settle()
  const outcome = await vain!.outcome
  assert.equal(outcome.status, 'failed')
  assert.ok(!('nextAt' in outcome))
  await life.live(DAY)
  assert.deepEqual([ordered(), step().type], [orders + 1, 'paused'])
  life.ca.limits.unpause()
  const [well] = await life.certificates.retry('all')
  await life.settle()
  assert.equal((await well!.outcome).status, 'obtained')
  assert.deepEqual([await life.attempt(), life.ca.certificates.all.length], [undefined, 2])
})

test('other settings of the issuer are other circumstances: it is tried again', async () => {
  await pause()
  const orders = ordered()
  await life.restart({ issuers: [{ challenges: ['http-01'] }] })
  assert.equal(ordered(), orders + 1)
})

test('the certificate for the other key is not tried either', async () => {
  await pause(['a.test'], ['ecdsa-p256', 'ecdsa-p384'])
  const orders = ordered()
  await life.live(2 * DAY)
  assert.deepEqual(
    [ordered(), life.certificates.report().map((report) => report.step.type)],
    [orders, ['paused', 'paused']],
  )
})

test('another name is not touched by it', async () => {
  await pause()
  await life.restart({ sites: [{ names: ['a.test'] }, { names: ['b.test'] }] })
  assert.deepEqual(
    life.certificates.report().map((report) => report.step.type),
    ['paused', 'keep'],
  )
})

test('what cannot be had at first because it is paused says so to whoever waits for it', async () => {
  await life.start({ sites: [{ names: ['b.test'] }] })
  life.ca.limits.pause(account(), 'a.test')
  await life.restart({ sites: [{}] })
  const [waiting] = life.states.at(-1)!.waiting
  assert.ok(waiting!.reason.startsWith(`its CA takes no more orders for it: go to ${UNPAUSE_URL}`), waiting!.reason)
})

test('a CA that pauses after so many failures in a row is asked once more, and then no more', async () => {
  life.ca.limits.pauseAfter = 3
  life.ca.validation.unreachable.add('a.test')
  await life.start({ issuers: [{ challenges: ['http-01'] }] })
  await life.live(10 * DAY)
  assert.deepEqual([ordered(), step().type], [4, 'paused'])
  life.ca.validation.unreachable.clear()
  life.ca.limits.unpause()
  await life.certificates.retry({ name: 'a.test' })
  await life.settle()
  assert.equal(life.served.length, 1)
})
