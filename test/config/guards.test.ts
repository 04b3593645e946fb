import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Guards } from '../../src/guards.ts'
import { loadGood, problemsOf } from './config-folder.ts'

/** Of the site, then of its routes. */
async function guardsOf(
  site: string,
  defaults = '{}',
  files: Record<string, string> = {},
): Promise<(Guards | undefined)[]> {
  const text = `acceptTerms: true\ndefaults: ${defaults}\nsites:\n  a.example:\n${site.replace(/^/gm, '    ')}\n`
  const { config } = await loadGood({ 'castellan.yaml': text, ...files })
  const [{ policy, routes }] = config.sites as [(typeof config.sites)[number]]
  return [policy, ...routes.map((route) => route.policy)].map(({ guards }) => guards)
}

async function problemOf(site: string): Promise<string> {
  const problems = await problemsOf(`sites: { a.example: { upstream: "http://h", ${site} } }`)
  return problems.map((problem) => problem.replace(/^.*?sites\."a\.example"\./, '')).join('\n')
}

const APP = 'upstream: http://h\n'

test('a site without guards has none', async () => {
  assert.deepEqual(await guardsOf(APP), [undefined])
})

test('allow and deny are inherited one by one, and off and [] turn them off', async () => {
  const routes =
    'routes:\n- { path: /a, respond: 200 }\n- { path: /b, respond: 200, allow: off }\n' +
    '- { path: /c, respond: 200, allow: [], deny: "::1" }\n- { path: /d, respond: 200, allow: off, deny: [] }'
  const all = await guardsOf(
    `${APP}allow: [10.0.0.0/8, unix]\n${routes}`,
    '{ deny: [10.0.0.1], allow: [192.0.2.0/24] }',
  )
  assert.deepEqual(
    all.map((guards) => guards?.addresses),
    [
      { allow: ['10.0.0.0/8', 'unix'], deny: ['10.0.0.1'] },
      { allow: ['10.0.0.0/8', 'unix'], deny: ['10.0.0.1'] },
      { allow: undefined, deny: ['10.0.0.1'] },
      { allow: undefined, deny: ['::1'] },
      undefined,
    ],
  )
})

test('a rate limit that a route says itself is its own, and one that it inherits is its site’s', async () => {
  const routes =
    'routes:\n- { path: /a, respond: 200 }\n- { path: /b, respond: 200, rateLimit: { requests: 1, per: 1s, burst: 5, by: { header: X-Key } } }\n' +
    '- { path: /c, respond: 200, rateLimit: off }'
  const all = await guardsOf(`${APP}${routes}`, '{ rateLimit: { requests: 100, per: 10s } }')
  const ofSite = { requests: 100, periodMs: 10_000, burst: 100, by: { type: 'clientAddress' }, scope: 'site' }
  assert.deepEqual(
    all.map((guards) => guards?.rateLimit),
    [
      ofSite,
      ofSite,
      { requests: 1, periodMs: 1_000, burst: 5, by: { type: 'header', name: 'x-key' }, scope: 'route' },
      undefined,
    ],
  )
})

const wrong: readonly [string, RegExp][] = [
  ['allow: 10.0.0.0/33', /^allow: found "10.0.0.0\/33", whose length is above 32; allowed: a network/],
  ['allow: [0.0.0.0/0]', /^allow\[0\]: found "0.0.0.0\/0", which is everybody: say off instead; /],
  ['deny: true', /^deny: found true; allowed: off, a network or an address/],
  ['rateLimit: on', /^rateLimit: found "on"; allowed: off, or a mapping with requests, per, by, burst$/],
  ['rateLimit: { requests: 1 }', /^rateLimit\.per: found nothing; /],
  ['rateLimit: { requests: 0, per: 1s }', /^rateLimit\.requests: found 0; allowed: a whole number from 1/],
  ['rateLimit: { requests: 1, per: 1s, by: address }', /^rateLimit\.by: found "address"; .*allowed: clientAddress/],
  ['rateLimit: { requests: 1, per: 1s, by: {} }', /^rateLimit\.by: found a mapping; allowed: clientAddress/],
  ['rateLimit: { requests: 1, per: 1s, by: { header: "a b" } }', /^rateLimit\.by\.header: found "a b"; /],
]

for (const [written, problem] of wrong)
  test(`a mistake is named: ${written}`, async () => {
    assert.match(await problemOf(written), problem)
  })
