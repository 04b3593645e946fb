import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { newOrder } from '../../src/acme/order.ts'
import { getRenewalInfo, type RenewalInfo, renewalIdentifier } from '../../src/acme/renewal-info.ts'
import { Fixture, forever } from './fixture.ts'
import { problem } from './scripted-ca.ts'

const ID = 'aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE'

let fixture: Fixture
beforeEach(async () => {
  fixture = await Fixture.open()
  fixture.ca.hasRenewalInfo = true
  fixture.client = await fixture.connect()
})
afterEach(() => fixture.close())

function answer(body: unknown, headers: Record<string, string> = {}): void {
  fixture.ca.scripts.set(`/renewal-info/${ID}`, () => ({ body, headers }))
}

const ask = (): Promise<RenewalInfo> => getRenewalInfo(fixture.client, ID, forever)
const window = (start: string, end: string) => ({ suggestedWindow: { start, end } })

test('a certificate is known by its issuer’s key and its serial, zero in front included (RFC 9773 §4.1)', () => {
  const authorityKeyIdentifier = Buffer.from('69885B6B87464041E1B37B847BA0AE2CDE01C8D4', 'hex')
  const serialContent = Buffer.from('0087654321', 'hex')
  assert.equal(renewalIdentifier({ authorityKeyIdentifier, serialContent }), ID)
  assert.equal(renewalIdentifier({ authorityKeyIdentifier: undefined, serialContent }), undefined)
})

test('the window, why, and when to ask again are read, without an account (RFC 9773 §4.2, §4.3)', async () => {
  const suggestion = window('2026-12-01T00:00:00Z', '2026-12-02T01:30:00.5+01:00')
  answer({ ...suggestion, explanationURL: 'https://ca.example/why' }, { 'Retry-After': '21600' })
  assert.deepEqual(await ask(), {
    windowStart: Date.parse('2026-12-01T00:00:00Z'),
    windowEnd: Date.parse('2026-12-02T00:30:00.5Z'),
    explanationUrl: 'https://ca.example/why',
    retryAfterMs: 21_600_000,
  })
  assert.equal(fixture.ca.to(`/renewal-info/${ID}`)[0]?.method, 'GET')
})

test('without more than a window there is no more', async () => {
  answer(window('2026-12-01T00:00:00Z', '2026-12-02T00:00:00Z'))
  const { explanationUrl, retryAfterMs } = await ask()
  assert.deepEqual([explanationUrl, retryAfterMs], [undefined, undefined])
})

for (const [what, body] of [
  ['a window that ends before it begins', window('2026-12-02T00:00:00Z', '2026-12-01T00:00:00Z')],
  ['a window of no time', window('2026-12-01T00:00:00Z', '2026-12-01T00:00:00Z')],
  ['a time without an offset', window('2026-12-01T00:00:00', '2026-12-02T00:00:00Z')],
  ['a day that no month has', window('2026-13-01T00:00:00Z', '2026-12-02T00:00:00Z')],
  ['no window', {}],
  ['a window of numbers', { suggestedWindow: { start: 1, end: 2 } }],
  ['an explanation that is no text', { ...window('2026-12-01T00:00:00Z', '2026-12-02T00:00:00Z'), explanationURL: 1 }],
] as const)
  test(`${what} is no answer (RFC 9773 §4.2)`, async () => {
    answer(body)
    await assert.rejects(ask(), { code: 'acme-response-invalid' })
  })

const names = ['a.example']
const place = () => newOrder(fixture.client, fixture.account, { names, replaces: ID }, forever)

test('an order says which certificate it replaces (RFC 9773 §5)', async () => {
  await place()
  assert.equal(fixture.ca.to('/new-order')[0]?.payload?.replaces, ID)
})

for (const type of ['alreadyReplaced', 'malformed', 'unauthorized'])
  test(`a CA that does not like that (${type}) is asked once more without it, and the log says so`, async () => {
    fixture.ca.scripts.set('/new-order', (request, normal) =>
      request.payload?.replaces === undefined ? normal() : { ...problem(type, 'not that one'), status: 409 },
    )
    await place()
    assert.deepEqual(
      fixture.ca.to('/new-order').map(({ payload }) => payload?.replaces),
      [ID, undefined],
    )
    assert.match(fixture.log.of('replaces-refused')[0]!.message, /not that one.* ordered as a new one/)
  })

test('each request is announced with whether it replaces anything, before it is made', async () => {
  fixture.ca.scripts.set('/new-order', (request, normal) =>
    request.payload?.replaces === undefined ? normal() : { ...problem('alreadyReplaced', 'no'), status: 409 },
  )
  const announced: [boolean, number][] = []
  const announce = async (isReplacement: boolean) =>
    void announced.push([isReplacement, fixture.ca.to('/new-order').length])
  await newOrder(fixture.client, fixture.account, { names, replaces: ID, announce }, forever)
  assert.deepEqual(announced, [
    [true, 0],
    [false, 1],
  ])
})

for (const [type, status] of [
  ['rateLimited', 429],
  ['rejectedIdentifier', 400],
  ['serverInternal', 500],
] as const)
  test(`what is not about that (${type}) is no reason to ask twice`, async () => {
    fixture.ca.scripts.set('/new-order', () => ({ ...problem(type, 'no'), status }))
    await assert.rejects(place(), { code: 'acme-problem' })
    assert.equal(fixture.ca.to('/new-order').length, 1)
  })

test('a refusal that stays without that word is the order’s own', async () => {
  fixture.ca.scripts.set('/new-order', () => problem('malformed', 'no'))
  await assert.rejects(place(), { code: 'acme-problem' })
  assert.equal(fixture.ca.to('/new-order').length, 2)
})
