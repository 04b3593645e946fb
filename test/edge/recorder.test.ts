import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Counters } from '../../src/edge/counters.ts'
import type { ClientFacts, Exchange, Outcome } from '../../src/edge/exchange/exchange.ts'
import { Recorder, type RequestRecord } from '../../src/edge/recorder.ts'
import { TlsFacts } from '../../src/edge/tls/tls-facts.ts'
import { UpstreamError } from '../../src/edge/upstream/upstream-error.ts'
import type { AccessEntry } from '../../src/telemetry/access-log.ts'
import { RecordingLog } from '../fakes/recording-log.ts'

const complete: Outcome = { result: 'complete', status: 200, bytes: 12, why: undefined }
const gone: Outcome = { result: 'aborted', status: 0, bytes: 0, why: undefined }

const client: ClientFacts = {
  address: '192.0.2.1',
  port: 50_000,
  localAddress: '192.0.2.254',
  localPort: 443,
  certificateNames: ['a.test'],
  usesFallback: false,
  tls: undefined,
}

const request = {
  method: 'GET',
  scheme: 'https',
  authority: 'a.test',
  target: '/',
  version: '1.1',
  fields: [],
} as const

const UPSTREAM = { scheme: 'http', host: '127.0.0.1', port: 3000 } as const

/** A recorder whose clock the test moves, and what it has entered. */
class Recording {
  now = 1_000
  readonly counters = new Counters()
  readonly entries: AccessEntry[] = []
  readonly log = new RecordingLog()
  readonly recorder: Recorder
  readonly #client: ClientFacts

  constructor(facts: Partial<ClientFacts> = {}, isLogged = true) {
    this.#client = { ...client, ...facts }
    this.recorder = new Recorder({
      counters: this.counters,
      accessLog: isLogged ? (entry) => this.entries.push(entry) : undefined,
      log: this.log,
      clock: () => this.now,
    })
  }

  begin(): RequestRecord {
    const exchange = { request: { ...request, upgrade: undefined }, client: this.#client } as unknown as Exchange
    const record = this.recorder.begin(exchange, '198.51.100.7', 'a.test', 'id')
    return record
  }

  get last(): AccessEntry {
    return this.entries.at(-1)!
  }

  times(step: 'upstreamConnect' | 'upstreamFirstByte'): number {
    return this.counters.report(0).durations[step].sumSeconds
  }
}

test('a request on a connection that was at hand has waited for none', () => {
  const it = new Recording()
  const record = it.begin()
  record.onAttempt(UPSTREAM)
  record.onSent()
  it.now += 4.04
  record.onResponse()
  it.now += 1
  record.onEnd(complete)
  const { client: address, upstream, connectMs, firstByteMs, durationMs, attempts, why } = it.last
  assert.deepEqual(
    [address, upstream, connectMs, firstByteMs, durationMs, attempts, why],
    ['198.51.100.7', 'http://127.0.0.1:3000', undefined, 4, 5, 1, undefined],
  )
  assert.equal(it.counters.report(0).durations.upstreamConnect.counts.join(''), '0'.repeat(15))
})

test('one that waits for its connection tells how long, apart from the time of the answer', () => {
  const it = new Recording()
  const record = it.begin()
  record.onAttempt(UPSTREAM)
  record.onWait()
  it.now += 20
  record.onSent()
  it.now += 3
  record.onResponse()
  record.onEnd(complete)
  assert.deepEqual([it.last.connectMs, it.last.firstByteMs, it.last.durationMs], [20, 3, 23])
  assert.deepEqual([it.times('upstreamConnect'), it.times('upstreamFirstByte')], [0.02, 0.003])
})

test('one that is sent again counts its attempts, and has the times of the last', () => {
  const it = new Recording()
  const record = it.begin()
  record.onAttempt(UPSTREAM)
  record.onSent()
  it.now += 100
  record.onAttempt(UPSTREAM)
  record.onWait()
  it.now += 10
  record.onSent()
  it.now += 5
  record.onResponse()
  record.onEnd(complete)
  const { attempts, connectMs, firstByteMs, durationMs } = it.last
  assert.deepEqual([attempts, connectMs, firstByteMs, durationMs], [2, 10, 5, 115])
})

test('one that is sent again on a connection at hand counts from then on', () => {
  const it = new Recording()
  const record = it.begin()
  record.onAttempt(UPSTREAM)
  record.onWait()
  it.now += 50
  record.onSent()
  record.onAttempt(UPSTREAM)
  record.onSent()
  it.now += 2
  record.onResponse()
  record.onEnd(complete)
  assert.deepEqual([it.last.connectMs, it.last.firstByteMs], [undefined, 2])
})

test('one that never gets a connection tells for how long that was tried, and why it failed', () => {
  const it = new Recording()
  const record = it.begin()
  record.onAttempt(UPSTREAM)
  record.onWait()
  it.now += 7
  record.onFailure(new UpstreamError('upstream-unreachable', 'nothing listens there.', { cause: 'ECONNREFUSED' }))
  record.onEnd({ ...complete, status: 502 })
  const { status, connectMs, firstByteMs, why, cause } = it.last
  assert.deepEqual([status, connectMs, firstByteMs], [502, 7, undefined])
  assert.deepEqual([why, cause], ['upstream-unreachable', 'ECONNREFUSED'])
  assert.deepEqual(it.counters.report(0).upstreamFailures, { 'upstream-unreachable': 1 })
  assert.equal(it.log.entries.length, 1)
  assert.equal(it.times('upstreamConnect'), 0)
})

test('the reason is what was found first: ours, else what the client did, else that its connection closed', () => {
  const it = new Recording()
  const ours = it.begin()
  ours.why = 'site-unknown'
  ours.onEnd({ ...gone, why: 'reset-received' })
  assert.equal(it.last.why, 'site-unknown')
  it.begin().onEnd({ ...gone, why: 'reset-received' })
  assert.equal(it.last.why, 'reset-received')
  it.begin().onEnd(gone)
  assert.equal(it.last.why, 'socket-closed')
})

test('the handshake is told by the first line of its connection, the rest of TLS by each', () => {
  const socket = {
    getProtocol: () => 'TLSv1.3',
    getCipher: () => ({ name: 'x', version: 'TLSv1.3', standardName: 'TLS_AES_128_GCM_SHA256' }),
    isSessionReused: () => true,
  }
  const it = new Recording({ tls: new TlsFacts(socket, 2.26) })
  it.begin().onEnd(complete)
  assert.equal(it.last.handshakeMs, 2.3)
  it.begin().onEnd(complete)
  assert.equal(it.last.handshakeMs, undefined)
  const { version, cipher, isResumed } = it.last.tls!
  assert.deepEqual([version, cipher, isResumed], ['TLSv1.3', 'TLS_AES_128_GCM_SHA256', true])
})

test('a request that its codec refused is counted and entered with what is known of it', () => {
  const it = new Recording()
  it.recorder.refused(
    {
      ...{ method: undefined, authority: undefined, target: undefined, version: '1.1', status: 431, bytes: 500 },
      ...{ durationMs: 1_000.04, why: 'fields-too-large' },
    },
    client,
  )
  const { client: address, site, host, method, target, status, bytes, requestId, durationMs, why } = it.last
  assert.deepEqual([host, method, target, site, requestId], new Array(5).fill(undefined))
  assert.deepEqual([address, status, bytes, durationMs, why], ['192.0.2.1', 431, 500, 1_000, 'fields-too-large'])
  assert.deepEqual(it.counters.report(0).requests, { '1.1 4xx': 1 })
})

test('without an access log, requests are counted all the same', () => {
  const it = new Recording({}, false)
  it.begin().onEnd(complete)
  assert.deepEqual(it.counters.report(0).requests, { '1.1 2xx': 1 })
  assert.deepEqual(it.entries, [])
})
