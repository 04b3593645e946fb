import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import type { Attempt } from '../../src/certificates/attempt.ts'
import { ROOTS } from '../fake-ca/certificates.ts'
import { type FaultName, faultNames, LIMIT_SECONDS, OVERLOAD_SECONDS, type Step, steps } from '../fake-ca/faults.ts'
import { DAY, HOUR, Life, MINUTE, SECOND } from '../fake-ca/life.ts'

// Every fault at every step of a renewal, from the program's side: what serves is not touched, what failed is remembered in
// words and tried again at the right time, nothing stays behind at the frontends or at the CA, and nothing is issued twice.

/** What the operator is told, and how long until the next try where that is not the first step of the ladder. */
const expectations: Record<FaultName, { readonly words: RegExp; readonly waitMs?: number }> = {
  dropped: { words: /cannot be reached: (socket hang up|read ECONNRESET)/ },
  'answer lost': { words: /cannot be reached: (socket hang up|read ECONNRESET)/ },
  'cut off': { words: /cannot be reached: (aborted|socket hang up)/ },
  'internal error': { words: /“Internal server error” \(serverInternal\)|newNonce with 500/ },
  'overloaded, with Retry-After': {
    words: /“Service busy; retry later.” \(rateLimited\)|newNonce with 503/,
    waitMs: OVERLOAD_SECONDS * SECOND,
  },
  'bad gateway': { words: /with 502 \(text\/html\)/ },
  'rate limited, with Retry-After': {
    words: /“too many requests” \(rateLimited\)|newNonce with 429/,
    waitMs: LIMIT_SECONDS * SECOND,
  },
  paused: { words: /Please visit: https:\/\/portal\.ca\.test\/sfe\/v1\/unpause|newNonce with 429/ },
  'bad nonce for ever': { words: /10 times as badNonce|\(badNonce\)|newNonce with 400/ },
  'bad nonce for ever, without a new one': { words: /10 times as badNonce|\(badNonce\)|newNonce with 400/ },
  'JSON that ends too early': { words: /instead of (well-formed JSON|application\/pem-certificate-chain)/ },
  'a web page': { words: /200 \(text\/html\) instead of|gives out no valid nonce/ },
  'another content type': { words: /\(application\/octet-stream\) instead of/ },
  oversize: { words: /larger than 1048576 bytes/ },
  hanging: { words: /did not answer within 30 seconds/ },
  refused: { words: /cannot be reached: (connect ECONNREFUSED|read ECONNRESET|socket hang up)/ },
}

/** Where a fault costs no try: something else tells how things stand, or nothing else is needed of the answer. */
const harmless = new Map<Step, readonly FaultName[]>([
  ['newNonce', ['JSON that ends too early', 'another content type', 'oversize']],
  ['challenge', ['answer lost', 'cut off']],
  ['finalize', ['answer lost', 'cut off']],
])

/** What has nothing to do with the certificate, and is the CA's outage. */
const aboutCa: readonly FaultName[] = [
  ...(['dropped', 'answer lost', 'cut off', 'bad gateway', 'hanging', 'refused'] as const),
  ...(['bad nonce for ever', 'bad nonce for ever, without a new one'] as const),
]

function isOutage(step: Step, fault: FaultName): boolean {
  if (step === 'directory') return true
  // It has no nonce that could be bad.
  if (step === 'newNonce' && fault.startsWith('bad nonce')) return false
  const isGeneral = step === 'newNonce' || step === 'newAccount' || step === 'newOrder'
  const isServerError = fault === 'internal error' || fault === 'overloaded, with Retry-After'
  return aboutCa.includes(fault) || (isGeneral && isServerError)
}

let life: Life
let before: string[]

beforeEach(async () => {
  life = await Life.open()
})
afterEach(() => life.close())

/** A certificate that is held, and will be due `ms` after it came; the program is then started anew, with the fault. */
async function meet(step: Step, fault: FaultName, { ms = 62 * DAY, times = Number.POSITIVE_INFINITY } = {}) {
  const { ca } = life
  const started = { issuers: [step === 'alternateChain' ? { preferredChain: ROOTS[1] } : {}] }
  ca.directory.hasRenewalInfo = step === 'renewalInfo'
  ca.orders.processingPolls = 1
  await life.start(started)
  before = life.served
  await life.certificates.stop()
  await life.clock.advance(ms)
  if (step === 'newAccount') await life.storage.delete('issuers/ca0/account')
  ca.faults.set(step, fault, times)
  if (fault === 'refused' && step === 'directory') ca.stopListening()
  await life.start(started)
}

async function endFault(): Promise<void> {
  life.ca.faults.lift()
  await life.ca.listen()
}

/** As if nothing had been wrong. */
async function assertRenewedOnce(): Promise<void> {
  const { ca, served, standing, storage } = life
  assert.equal(served.length, 1)
  assert.notDeepEqual(served, before)
  assert.equal(ca.certificates.all.length, 2, 'nothing is issued twice')
  assert.deepEqual(ca.orders.unfinished, [])
  assert.equal(standing.size, 0)
  assert.deepEqual(await storage.list('attempts'), [])
  assert.deepEqual(await storage.list('issuers/ca0/orders'), [])
}

for (const step of steps.filter((each) => each !== 'renewalInfo' && each !== 'alternateChain'))
  for (const fault of faultNames) {
    if (harmless.get(step)?.includes(fault)) continue
    const { words, waitMs = MINUTE } = expectations[fault]
    if (isOutage(step, fault)) {
      test(`${step}: ${fault}, which is an outage of the CA and no failure`, async () => {
        await meet(step, fault)
        const { log, clock } = life
        assert.deepEqual([life.served, life.standing.size, await life.attempt()], [before, 0, undefined])
        const { outage } = life.certificates.report()[0]!
        assert.match(outage!.reason, words)
        assert.equal(outage!.probeAt - outage!.since, waitMs)
        await endFault()
        await life.live(outage!.probeAt - clock.now() - 1)
        assert.deepEqual(life.served, before)
        await life.live(SECOND * 10)
        await assertRenewedOnce()
        const told = ['ca-out-of-order', 'ca-answers-again', 'certificate-failed'].map((event) => log.of(event).length)
        assert.deepEqual(told, [1, 1, 0])
        assert.match(log.of('ca-out-of-order')[0]!.message, words)
      })
      continue
    }

    if (fault === 'paused' && step !== 'newNonce') {
      test(`${step}: ${fault}, until somebody has been there and says so`, async () => {
        await meet(step, fault)
        assert.deepEqual([life.served, life.standing.size], [before, 0])
        assert.match(((await life.attempt()) as Attempt).reason, words)
        await endFault()
        await life.live(DAY)
        assert.deepEqual(life.served, before)
        await life.certificates.retry('all')
        await life.settle()
        await assertRenewedOnce()
      })
      continue
    }

    test(`${step}: ${fault}, until that is over`, async () => {
      await meet(step, fault)
      assert.deepEqual(life.served, before)
      assert.equal(life.standing.size, 0)
      const attempt = (await life.attempt()) as Attempt
      assert.match(attempt.reason, words)
      assert.deepEqual([attempt.failures, attempt.nextAt - attempt.lastAt], [1, waitMs])
      assert.match(life.log.of('certificate-failed')[0]!.message, words)
      await endFault()
      await life.live(attempt.nextAt - life.clock.now() - 1)
      assert.deepEqual(life.served, before)
      await life.live(SECOND * 10)
      await assertRenewedOnce()
      assert.equal(life.ca.accounts.byUrl.size, step === 'newAccount' ? 2 : 1)
    })
  }

for (const [step, faults] of harmless)
  for (const fault of faults)
    test(`${step}: ${fault}, which does no harm`, async () => {
      await meet(step, fault)
      await assertRenewedOnce()
      assert.equal(life.log.of('certificate-failed').length, 0)
    })

for (const step of [
  'authorization',
  'challenge',
  'authorizationPoll',
  'order',
  'finalize',
  'orderPoll',
  'certificate',
] as const)
  for (const fault of faultNames.filter((each) => each !== 'paused'))
    test(`${step}: ${fault}, once`, async () => {
      await meet(step, fault, { times: 1 })
      await endFault()
      await life.live(LIMIT_SECONDS * SECOND + MINUTE)
      await assertRenewedOnce()
    })

for (const fault of faultNames)
  test(`alternateChain: ${fault}, for which the CA's own choice will do`, async () => {
    await meet('alternateChain', fault)
    await assertRenewedOnce()
    assert.match(
      life.log.of('alternate-chain-unusable')[0]!.message,
      fault === 'hanging' ? /within \d+ seconds/ : expectations[fault].words,
    )
    assert.equal(life.log.of('certificate-failed').length, 0)
  })

for (const fault of faultNames)
  test(`renewalInfo: ${fault}, which is asked again in six hours`, async () => {
    await meet('renewalInfo', fault, { ms: DAY })
    const suggested = (): number => life.log.of('renewal-suggested').length
    assert.equal(life.log.of('renewal-info-failed').length, 1)
    assert.match(life.log.of('renewal-info-failed')[0]!.message, expectations[fault].words)
    assert.deepEqual([life.served, await life.attempt()], [before, undefined])
    const asked = life.ca.of('renewalInfo').length
    await endFault()
    life.ca.renewalInfo.move({ start: life.clock.now() + DAY, end: life.clock.now() + 2 * DAY })
    await life.live(5 * HOUR)
    assert.deepEqual([life.ca.of('renewalInfo').length, suggested()], [asked, 0])
    await life.live(HOUR + MINUTE)
    assert.deepEqual([life.ca.of('renewalInfo').length, suggested()], [asked + 1, 1])
  })
