import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Guards } from '../../src/guards.ts'
import { rootPem } from '../edge/tls/served.ts'
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

test('allow and deny are inherited one by one, and off turns them off, of deny also []', async () => {
  const routes =
    'routes:\n- { path: /a, respond: 200 }\n- { path: /b, respond: 200, allow: off }\n' +
    '- { path: /c, respond: 200, allow: off, deny: "::1" }\n- { path: /d, respond: 200, allow: off, deny: [] }'
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

const HASH = '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'

test('CORS: origins are read as browsers write them', async () => {
  const [guards] = await guardsOf(
    `${APP}cors: { origins: ["HTTPS://App.example.com:443/", "https://*.bücher.example", "http://h:80"], maxAge: 90s }`,
  )
  assert.deepEqual(guards?.cors, {
    origins: ['https://app.example.com', 'https://*.xn--bcher-kva.example', 'http://h'],
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    headers: undefined,
    exposeHeaders: [],
    credentials: false,
    maxAgeSeconds: 90,
  })
  const [any] = await guardsOf(`${APP}cors: { origins: "*", headers: "*" }`)
  assert.deepEqual([any?.cors?.origins, any?.cors?.headers], ['*', undefined])
  assert.deepEqual(await guardsOf(`${APP}cors: off`, '{ cors: { origins: "*" } }'), [undefined])
})

test('users may stand in the config, in the environment and in a file of lines', async () => {
  const [guards] = await guardsOf(`${APP}auth: { basic: { alice: "${HASH}", bob: file:bob }, realm: R }`, '{}', {
    bob: `${HASH}\n`,
  })
  assert.deepEqual(guards?.auth, {
    type: 'basic',
    users: [
      ['alice', HASH],
      ['bob', HASH],
    ],
    realm: 'R',
    passAuthorization: false,
  })
  const [fromFile] = await guardsOf(`${APP}auth: { basic: file:users }`, '{}', {
    users: `# people\nalice:${HASH}\r\n\nbob:${HASH}`,
  })
  assert.deepEqual(fromFile?.auth?.type === 'basic' && fromFile.auth.users.map(([name]) => name), ['alice', 'bob'])
})

test('an auth service is a URL, or a mapping', async () => {
  const [plain] = await guardsOf(`${APP}auth: { forward: "http://auth:9000/verify?a=b" }`)
  assert.deepEqual(plain?.auth, {
    type: 'forward',
    service: {
      address: { scheme: 'http', host: 'auth', port: 9000 },
      timeouts: { connectMs: 5_000, firstByteMs: 10_000, idleMs: 10_000 },
      tls: { trust: undefined, serverName: undefined, verify: true },
      proxyProtocol: undefined,
    },
    target: '/verify?a=b',
    copy: [],
  })
  const [full] = await guardsOf(
    `${APP}auth: { forward: { to: "https://auth", copy: [X-User], timeout: 1s, tls: { serverName: a.b } } }`,
  )
  assert.deepEqual(
    full?.auth?.type === 'forward' && [full.auth.target, full.auth.copy, full.auth.service.tls.serverName],
    ['/', ['X-User'], 'a.b'],
  )
  assert.deepEqual(await guardsOf(`${APP}auth: off`, '{ auth: { forward: "http://auth" } }'), [undefined])
})

const wrong: readonly [string, RegExp][] = [
  ['allow: []', /^allow: found a list; at least one is needed; allowed: off, a network/],
  ['allow: 10.0.0.0/33', /^allow: found "10.0.0.0\/33", whose length is above 32; allowed: a network/],
  ['allow: [0.0.0.0/0]', /^allow\[0\]: found "0.0.0.0\/0", which is everybody: say off instead; /],
  ['deny: true', /^deny: found true; allowed: off, or a list of networks/],
  ['rateLimit: on', /^rateLimit: found "on"; allowed: off, or a mapping with requests, per, by, burst$/],
  ['rateLimit: { requests: 1 }', /^rateLimit\.per: found nothing; /],
  ['rateLimit: { requests: 0, per: 1s }', /^rateLimit\.requests: found 0; allowed: a whole number from 1/],
  ['rateLimit: { requests: 1, per: 1s, by: address }', /^rateLimit\.by: found "address"; .*allowed: clientAddress/],
  ['rateLimit: { requests: 1, per: 1s, by: {} }', /^rateLimit\.by: found a mapping; allowed: clientAddress/],
  ['rateLimit: { requests: 1, per: 1s, by: { header: "a b" } }', /^rateLimit\.by\.header: found "a b"; /],
  ['cors: { origins: "*", credentials: on }', /^cors\.credentials: every page of the web could act as your visitors; /],
  ['cors: { origins: "null" }', /^cors\.origins: found "null", which anybody can be/],
  ['cors: { origins: [https://a/path] }', /^cors\.origins\[0\]: found "https:\/\/a\/path"; allowed: "\*"/],
  ['cors: { origins: ["https://a*.b"] }', /^cors\.origins\[0\]: /],
  ['cors: "*"', /^cors: found "\*"; allowed: off, or a mapping with origins/],
  ['auth: on', /^auth: found a value; allowed: off, or a mapping with basic or forward$/],
  ['auth: {}', /^auth: found neither basic nor forward; /],
  ['auth: { basic: {} }', /^auth\.basic: found nobody; /],
  ['auth: { basic: { alice: hunter2 } }', /^auth\.basic\.alice: found a value, which is no hash of a password; /],
  ['auth: { basic: { "a:b": env:HASH } }', /^auth\.basic\."a:b": a name of a user has no colon/],
  ['auth: { basic: "alice:hunter2" }', /^auth\.basic: found a value, in whose line 1 is a hash which is no hash/],
  ['auth: { basic: { a: "$2b$17$x" }, forward: "http://a" }', /^auth: found basic and forward together; /],
  [
    'auth: { forward: { to: "http://a", copy: [X-Forwarded-For] } }',
    /^auth\.forward\.copy\[0\]: Castellan itself sets it/,
  ],
  ['auth: { forward: auth:9000 }', /^auth\.forward: found "auth:9000"; allowed: the URL of the auth service/],
  ['auth: { forward: "http://auth", realm: x }', /^auth\.realm: it is of use with basic alone; remove it$/],
  ['auth: { forward: { to: "http://auth", tls: { verify: off } } }', /^auth\.forward\.tls: found a mapping, but http/],
]

for (const [written, problem] of wrong)
  test(`a mistake is named: ${written}`, async () => {
    assert.match(await problemOf(written), problem)
  })

test('TLS with clients: of the defaults and of a site, key by key', async () => {
  const trust = await rootPem()
  const { config } = await loadGood({
    'castellan.yaml': `acceptTerms: true
defaults: { tls: { minVersion: 1.3, clientAuth: { trust: clients.pem } } }
sites:
  a.example: http://h
  b.example: { upstream: http://h, tls: { clientAuth: { trust: clients.pem, mode: request, chain: on }, minVersion: "1.2" } }
  c.example: { upstream: http://h, tls: { clientAuth: off } }
  d.example: { upstream: http://h, tls: { clientAuth: off, minVersion: "1.2" } }
`,
    'clients.pem': trust,
  })
  assert.deepEqual(
    config.sites.map(({ tls }) => tls),
    [
      { minVersion: '1.3', clientAuth: { trust, mode: 'require', sendsChain: false } },
      { minVersion: '1.2', clientAuth: { trust, mode: 'request', sendsChain: true } },
      { minVersion: '1.3', clientAuth: undefined },
      undefined,
    ],
  )
})

const wrongTls: readonly [string, RegExp][] = [
  ['{ minVersion: "1.1" }', /^tls\.minVersion: found "1.1"; .*allowed: 1.2, 1.3$/],
  ['{ clientAuth: on }', /^tls\.clientAuth: found "on"; allowed: off, or a mapping with trust, mode, chain$/],
  ['{ clientAuth: {} }', /^tls\.clientAuth\.trust: found nothing; /],
  ['{ clientAuth: { trust: none.pem } }', /^tls\.clientAuth\.trust: found "none.pem", but .* cannot be read: /],
  [
    '{ clientAuth: { trust: none.pem, mode: demand } }',
    /^tls\.clientAuth\.mode: found "demand"; allowed: require, request$/,
  ],
]

for (const [written, problem] of wrongTls)
  test(`a mistake is named: tls: ${written}`, async () => {
    assert.match(await problemOf(`tls: ${written}`), problem)
  })
