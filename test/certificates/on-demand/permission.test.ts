import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AskReply } from '../../../src/certificates/on-demand/ask-client.ts'
import { Permission, type PermissionOptions } from '../../../src/certificates/on-demand/permission.ts'

const { signal } = new AbortController()

function permission(options: Partial<PermissionOptions>): Permission {
  return new Permission({
    allow: [],
    ask: undefined,
    addresses: undefined,
    resolver: { addresses: async (name) => assert.fail(`${name} is resolved`) },
    refusedForMs: 600_000,
    ...options,
  })
}

const saying = (status: number, maxAgeMs?: number) =>
  permission({ ask: async (): Promise<AskReply> => ({ status, maxAgeMs }) })

test('a list lets in its names, and one label below its wildcards, and nobody is asked about them', async () => {
  const ask = async (name: string) => assert.fail(`${name} is asked about`)
  for (const options of [{}, { ask }]) {
    const it = permission({ allow: ['a.test', '*.c.test'], ...options })
    for (const name of ['a.test', 'x.c.test']) {
      assert.equal(it.asksFor(name), false)
      assert.equal((await it.of(name, '192.0.2.1', signal)).type, 'yes')
    }
    for (const name of ['c.test', 'x.y.c.test', 'b.a.test']) assert.equal(it.asksFor(name), 'ask' in options)
  }
  assert.equal((await permission({ allow: ['a.test'] }).of('b.test', undefined, signal)).type, 'no')
})

test('success is yes; 403, 404 and 410 are no; anything else is nobody’s answer, and a fault', async () => {
  const expected: Record<number, string> = { 200: 'yes', 204: 'yes', 403: 'no', 404: 'no', 410: 'no' }
  for (const status of [200, 204, 400, 401, 403, 404, 410, 429, 500, 503, 0]) {
    const verdict = await saying(status).of('a.test', undefined, signal)
    assert.equal(verdict.type, expected[status] ?? 'unknown', `${status}`)
    if (verdict.type === 'unknown') assert.ok(verdict.isFault && verdict.forMs === 60_000)
  }
})

test('a refusal counts for as long as it says, from a second to a day', async () => {
  for (const [maxAgeMs, forMs] of [
    [undefined, 600_000],
    [0, 1_000],
    [5_000, 5_000],
    [1e12, 86_400_000],
  ] as const) {
    const verdict = await saying(403, maxAgeMs).of('a.test', undefined, signal)
    assert.ok(verdict.type === 'no' && verdict.forMs === forMs, JSON.stringify(verdict))
  }
})

test('whoever hangs is asked no more than 50 things at a time', async () => {
  let asked = 0
  const answer = Promise.withResolvers<AskReply>()
  const it = permission({
    ask: () => {
      asked++
      return answer.promise
    },
  })
  const verdicts = Array.from({ length: 60 }, (_, index) => it.of(`x${index}.test`, undefined, signal))
  answer.resolve({ status: 200, maxAgeMs: undefined })
  const types = (await Promise.all(verdicts)).map(({ type }) => type)
  assert.equal(asked, 50)
  assert.equal(types.filter((type) => type === 'unknown').length, 10)
  assert.equal((await it.of('later.test', undefined, signal)).type, 'yes')
})

test('with addresses, only names that lead here and nowhere else are let in, and others soon looked at again', async () => {
  const found: Record<string, readonly string[] | undefined> = {
    'here.test': ['203.0.113.7', '2001:db8::5'],
    'elsewhere.test': ['198.51.100.1'],
    'both.test': ['203.0.113.7', '198.51.100.1'],
    'nowhere.test': [],
  }
  const it = permission({
    allow: ['*.test'],
    addresses: ['203.0.113.7', '2001:db8::/64'],
    resolver: { addresses: async (name) => found[name] },
  })
  assert.equal((await it.of('here.test', undefined, signal)).type, 'yes')
  for (const [name, reason] of [
    ['elsewhere.test', /leads to 198\.51\.100\.1, which is not here/],
    ['both.test', /leads to 198\.51\.100\.1, which/],
    ['nowhere.test', /leads nowhere/],
    ['silent.test', /no name server/],
  ] as const) {
    const verdict = await it.of(name, undefined, signal)
    assert.ok(verdict.type === 'unknown' && !verdict.isFault && verdict.forMs === 60_000)
    assert.match(verdict.reason, reason)
  }
})
