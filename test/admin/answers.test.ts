import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Answering, operatorAnswers } from '../../src/admin/answers.ts'
import type { Asked, Outcome, Selection } from '../../src/certificates/wish.ts'
import type { AccountReport, Issuer } from '../../src/issuers/issuer.ts'
import type { AskProbe } from '../../src/preflight/look.ts'
import { RecordingLog } from '../fakes/recording-log.ts'

const STOPPED: Outcome = { status: 'stopped' }

function asked(id: string, outcome: Promise<Outcome>): Asked {
  return { id, names: [`${id}.test`], keyKind: 'rsa-2048', left: [], outcome }
}

const SPREAD = { renewals: 9, moved: 5, days: 30, most: 1, mostBefore: 9 }
const BALANCE = {
  authority: 'https://ca.test/directory',
  kind: 'orders',
  subject: 'issuers/ca/account',
  limit: { count: 300, periodMs: 10_800_000 },
  left: 12,
  moreAt: 1,
} as const

/** Certificates that give what they are told to, and note what is asked of them. */
function certificates(given: readonly Asked[]) {
  const calls: unknown[] = []
  return {
    calls,
    countOnDemand: async () => undefined,
    report: async (name?: string) => {
      calls.push(['report', name])
      return []
    },
    retry: async (selection: Selection) => {
      calls.push(['retry', selection])
      return [...given]
    },
    renew: async (name: string) => {
      calls.push(['renew', name])
      return [...given]
    },
    spread: async () => {
      calls.push(['spread'])
      return SPREAD
    },
    get limits() {
      calls.push(['limits'])
      return [BALANCE]
    },
    revoke: async (name: string, reason: string) => {
      calls.push(['revoke', name, reason])
      return [...given]
    },
    import: async (files: readonly string[]) => {
      calls.push(['import', ...files])
      return [...given]
    },
  }
}

function answers(
  subject: Answering['certificates'],
  log: RecordingLog,
  { issuers = new Map(), probe = async () => [], maintenance = openSites, orders = noOrders }: Partial<Answering> = {},
) {
  return operatorAnswers({
    upstreams: { report: async () => [], drain: async () => [], undrain: async () => [] },
    certificates: subject,
    issuers,
    probe,
    notices,
    orders,
    health: () => ({ accepting: 1, workers: 2 }),
    maintenance,
    signal: new AbortController().signal,
    log,
  })
}

/** Nothing is closed. */
const openSites: Answering['maintenance'] = {
  report: () => [],
  change: async () => {},
  readPage: async (path) => `page ${path}`,
}

/** Of a program that is asked for nothing such. */
const noOrders: Answering['orders'] = {
  reload: async (file) => assert.fail(`a reload of ${file} is asked for`),
  foresee: async (file) => assert.fail(`a dry run of ${file} is asked for`),
  upgrade: async () => assert.fail('an upgrade is asked for'),
}

/** One channel that works and one that does not. */
const results = [
  { channel: 'a', error: undefined },
  { channel: 'b', error: 'b is out' },
]
const notices = {
  async *test() {
    yield* results
  },
}

test('a probe is of http-01 at the addresses that are given, and what it has met is told', async () => {
  const met = { address: '192.0.2.1', challenge: 'http-01', outcome: 'ours', seen: 'is this program' } as const
  const asked: unknown[] = []
  const probe: AskProbe = async (...question) => {
    asked.push(question)
    return [met]
  }
  const request = { ask: 'probe', name: 'a.test', addresses: ['192.0.2.1'] } as const
  const answer = answers(certificates([]), new RecordingLog(), { probe })
  assert.deepEqual(await Array.fromAsync(answer(request)), [{ type: 'probe', answers: [met] }])
  assert.deepEqual(asked, [['a.test', ['192.0.2.1'], 'http-01']])
})

test('each request goes where it belongs', async () => {
  const subject = certificates([])
  const answer = answers(subject, new RecordingLog())
  for (const request of [
    { ask: 'report' },
    { ask: 'report', name: 'a' },
    { ask: 'retry' },
    { ask: 'retry', name: 'a' },
    { ask: 'renew', name: 'a' },
    { ask: 'spread' },
    { ask: 'limits' },
    { ask: 'revoke', name: 'a', reason: 'superseded' },
    { ask: 'import', files: ['/a', '/b'] },
  ] as const)
    await Array.fromAsync(answer(request))
  assert.deepEqual(subject.calls, [
    ['report', undefined],
    ['report', 'a'],
    ['retry', 'all'],
    ['retry', { name: 'a' }],
    ['renew', 'a'],
    ['spread'],
    ['limits'],
    ['revoke', 'a', 'superseded'],
    ['import', '/a', '/b'],
  ])
})

test('the names on demand are counted with all certificates, and not with those of a name', async () => {
  const counts = { names: 3, inUse: 1 }
  const answer = answers({ ...certificates([]), countOnDemand: async () => counts }, new RecordingLog())
  assert.deepEqual(await Array.fromAsync(answer({ ask: 'report' })), [{ type: 'on-demand', counts }])
  assert.deepEqual(await Array.fromAsync(answer({ ask: 'report', name: 'a' })), [])
})

test('outcomes are told as they come, after their number, and what was asked is logged', async () => {
  const slow = Promise.withResolvers<Outcome>()
  const log = new RecordingLog()
  const subject = certificates([asked('slow', slow.promise), asked('fast', Promise.resolve(STOPPED))])
  const replies = answers(subject, log)({ ask: 'retry' })[Symbol.asyncIterator]()
  assert.deepEqual((await replies.next()).value, { type: 'begun', count: 2 })
  const certificate = { id: 'fast', names: ['fast.test'], keyKind: 'rsa-2048', left: [] }
  assert.deepEqual((await replies.next()).value, { type: 'outcome', certificate, outcome: STOPPED })
  slow.resolve(STOPPED)
  assert.equal((await replies.next()).value.certificate.id, 'slow')
  assert.equal((await replies.next()).done, true)
  assert.equal(log.of('asked-by-hand')[0]!.message, 'Asked by hand to retry slow, fast.')
})

test('what was spread out is told and logged, and limits are told', async () => {
  const log = new RecordingLog()
  const answer = answers(certificates([]), log)
  assert.deepEqual(await Array.fromAsync(answer({ ask: 'spread' })), [{ type: 'spread', spread: SPREAD }])
  assert.match(log.of('asked-by-hand')[0]!.message, /5 of 9 come earlier/)
  assert.deepEqual(await Array.fromAsync(answer({ ask: 'limits' })), [{ type: 'limit', balance: BALANCE }])
})

test('where nothing waits, nothing is logged', async () => {
  const log = new RecordingLog()
  const replies = await Array.fromAsync(answers(certificates([]), log)({ ask: 'retry' }))
  assert.deepEqual(replies, [{ type: 'begun', count: 0 }])
  assert.deepEqual(log.entries, [])
})

test('each result of a test notice is told, and that somebody asked for it is logged', async () => {
  const log = new RecordingLog()
  const answer = answers(certificates([]), log)
  assert.deepEqual(
    await Array.fromAsync(answer({ ask: 'notify-test' })),
    results.map((result) => ({ type: 'notified', result })),
  )
  assert.equal(log.of('asked-by-hand').length, 1)
})

test('accounts are asked for of one issuer or of all that have any; a wrong name is told with what was meant', async () => {
  const asked: string[] = []
  const accountsOf = (name: string) => {
    const act = (what: string) => async () => {
      asked.push(`${what} ${name}`)
      return what === 'show' ? [] : [{ issuer: name } as AccountReport]
    }
    return { name, accounts: { show: act('show'), rollOver: act('rollOver'), deactivate: act('deactivate') } }
  }
  const issuers: Answering['issuers'] = new Map<string, Pick<Issuer, 'name' | 'accounts'>>([
    ['one', accountsOf('one')],
    ['two', accountsOf('two')],
    ['internal', { name: 'internal' }],
  ])
  const log = new RecordingLog()
  const answer = answers(certificates([]), log, { issuers })
  assert.deepEqual(await Array.fromAsync(answer({ ask: 'accounts', action: 'show' })), [])
  assert.deepEqual(await Array.fromAsync(answer({ ask: 'accounts', action: 'rollover', issuer: 'two' })), [
    { type: 'account', report: { issuer: 'two' } },
  ])
  await Array.fromAsync(answer({ ask: 'accounts', action: 'deactivate', issuer: 'one' }))
  assert.deepEqual(asked, ['show one', 'show two', 'rollOver two', 'deactivate one'])
  assert.equal(log.of('asked-by-hand').length, 2)
  for (const [issuer, message] of [
    ['twoo', /There is no issuer "twoo" with accounts; did you mean "two"\?/],
    ['internal', /with accounts; those with accounts are one, two\./],
  ] as const)
    await assert.rejects(Array.fromAsync(answer({ ask: 'accounts', action: 'show', issuer })), {
      code: 'issuer-unknown',
      message,
    })
})

test('a program tells how many of its workers serve', async () => {
  const said = await Array.fromAsync(answers(certificates([]), new RecordingLog())({ ask: 'health' }))
  assert.deepEqual(said, [{ type: 'health', health: { accepting: 1, workers: 2 } }])
})

test('a site is closed with the text of the page, and which are closed is told after that', async () => {
  const calls: unknown[] = []
  const report = { site: 'a.test', mode: 'on', since: 1, until: undefined } as const
  const maintenance = {
    ...openSites,
    report: () => [report],
    change: async (...call: unknown[]) => {
      calls.push(call)
    },
  }
  const answer = answers(certificates([]), new RecordingLog(), { maintenance })
  const told = [{ type: 'maintenance', report }]
  assert.deepEqual(await Array.fromAsync(answer({ ask: 'maintenance' })), told)
  assert.deepEqual(calls, [])
  const asked = { ask: 'maintenance', site: 'a.test', action: 'on', forMs: 5, page: '/x' } as const
  assert.deepEqual(await Array.fromAsync(answer(asked)), told)
  assert.deepEqual(calls, [['a.test', { action: 'on', forMs: 5, page: 'page /x' }]])
})
