import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { test } from 'node:test'
import type { Site, SiteAction, Upstream } from '../../src/config/config.ts'
import { loadConfig } from '../../src/config/load.ts'
import { ConfigError, type ConfigProblem, formatProblem } from '../../src/config/problem.ts'
import { load, loadGood } from './config-folder.ts'
import { makePair } from './pem-pair.ts'

const { certificate: CERTIFICATE, key: PRIVATE_KEY } = await makePair('a.example', '*.example.com')

const APP = { scheme: 'http', host: 'localhost', port: 3000 } as const

/** Of an upstream that says nothing of it. */
const BALANCING: Upstream['balancing'] = {
  balance: { by: 'leastRequests' },
  sticky: undefined,
  everyAddress: false,
  health: undefined,
  retries: 1,
  concurrency: undefined,
}

/** The action of a site that is proxied to this address, with these settings besides the defaults. */
function proxyTo(address: Upstream['targets'][number]['address'], settings: Partial<Upstream> = {}): SiteAction {
  const targets = [{ address, weight: 1 }]
  const timeouts = { connectMs: 5_000, firstByteMs: 60_000, idleMs: 300_000 }
  const tls = { trust: undefined, serverName: undefined, verify: true }
  return {
    type: 'proxy',
    upstream: { targets, balancing: BALANCING, timeouts, tls, proxyProtocol: undefined, ...settings },
  }
}

/** As a person reads it, without the folder. */
function problemLine(problem: ConfigProblem): string {
  return formatProblem({ ...problem, file: basename(problem.file) })
}

async function siteOf(yaml: string): Promise<Site> {
  const [first] = (await loadGood(yaml)).config.sites
  assert.ok(first !== undefined)
  return first
}

const LIMITS = {
  connections: 50_000,
  connectionsPerAddress: 256,
  handshakes: 1024,
  requestLine: 8_192,
  header: 32_768,
  headerFields: 100,
  streams: 100,
  requestsPerConnection: 10_000,
  bodyRate: 240,
}

const TIMEOUTS = {
  drainMs: 10_000,
  reloadDrainMs: 86_400_000,
  helloMs: 5_000,
  handshakeMs: 10_000,
  headerMs: 10_000,
  bodyMs: 30_000,
  idleMs: 75_000,
  writeMs: 60_000,
}

test('two lines are a config: everything else has a default', async () => {
  const { config, warnings } = await loadGood('sites:\n  example.com: http://localhost:3000\n')
  const { file, folder, issuers, ...rest } = config
  assert.equal(file, resolve(folder, 'castellan.yaml'))
  assert.deepEqual(warnings.map(problemLine), [
    'castellan.yaml:1:1: acceptTerms: letsencrypt will issue nothing; read its terms of service, then set acceptTerms: true',
  ])
  assert.deepEqual(rest, {
    contact: undefined,
    acceptTerms: false,
    storage: { folder: resolve(folder, 'data') },
    workers: 'auto',
    listen: {
      https: [{ type: 'tcp', host: undefined, port: 443 }],
      http: [{ type: 'tcp', host: undefined, port: 80 }],
      socketMode: 0o660,
      proxyProtocolFrom: [],
      trustedProxies: [],
    },
    fallback: undefined,
    metrics: undefined,
    pages: new Map(),
    watch: false,
    notify: [],
    limits: LIMITS,
    timeouts: TIMEOUTS,
    sites: [
      {
        name: 'example.com',
        names: ['example.com'],
        action: proxyTo(APP),
        redirectToHttps: true,
        hsts: undefined,
        policy: { maxBodyBytes: undefined, headers: undefined, guards: undefined },
        routes: [],
        isCanonical: false,
        concurrency: undefined,
        forwarded: false,
        via: false,
        tls: undefined,
        keys: ['ecdsa-p256', 'rsa-2048'],
        grouping: 'perSite',
        mustStaple: false,
        files: [],
        issuers: undefined,
        onDemand: undefined,
      },
    ],
    log: { level: 'info', format: 'auto', access: { file: undefined, format: undefined } },
  })
})

test('the built-in ACME issuers are there without being named', async () => {
  const { issuers } = (await loadGood('sites: { example.com: http://h }')).config
  assert.deepEqual(
    [...issuers.values()].map(({ name, directory }) => [name, directory]),
    [
      ['letsencrypt', 'https://acme-v02.api.letsencrypt.org/directory'],
      ['letsencrypt-staging', 'https://acme-staging-v02.api.letsencrypt.org/directory'],
      ['zerossl', 'https://acme.zerossl.com/v2/DV90'],
      ['google', 'https://dv.acme-v02.api.pki.goog/directory'],
    ],
  )
  assert.deepEqual(issuers.get('letsencrypt'), {
    name: 'letsencrypt',
    directory: 'https://acme-v02.api.letsencrypt.org/directory',
    trust: undefined,
    externalAccount: undefined,
    profile: undefined,
    preferredChain: undefined,
    challenges: ['tls-alpn-01', 'http-01'],
    accountKey: 'ecdsa-p256',
    account: 'perIssuer',
    maxNames: undefined,
  })
})

test('custom issuers have all settings, and built-in ones can be refined', async () => {
  const yaml = `
sites: { example.com: http://h }
issuers:
  corporate:
    directory: https://ca.corp.example/acme/directory
    trust: pki/root.pem
    externalAccount: { kid: abc, hmacKey: env:EAB_KEY }
    profile: { name: shortlived, required: on }
    preferredChain: Corp Root X2
    challenges: http-01
    accountKey: rsa-4096
    account: perSite
    rateLimits: { orders: 5000 in 3h, sameNames: 6 in 7d }
    maxNames: 50
  zerossl:
    externalAccount: { kid: def, hmacKey: file:pki/eab }
    profile: classic
`
  const files = { 'castellan.yaml': yaml, 'pki/root.pem': CERTIFICATE, 'pki/eab': 'c2VjcmV0\n' }
  const { issuers } = (await loadGood(files, { EAB_KEY: 'aHVudGVyMg' })).config
  assert.deepEqual(issuers.get('corporate'), {
    name: 'corporate',
    directory: 'https://ca.corp.example/acme/directory',
    trust: CERTIFICATE,
    externalAccount: { kid: 'abc', hmacKey: 'aHVudGVyMg' },
    profile: { name: 'shortlived', required: true },
    preferredChain: 'Corp Root X2',
    challenges: ['http-01'],
    accountKey: 'rsa-4096',
    account: 'perSite',
    rateLimits: { orders: { count: 5000, periodMs: 10_800_000 }, sameNames: { count: 6, periodMs: 604_800_000 } },
    maxNames: 50,
  })
  const zerossl = issuers.get('zerossl')
  assert.equal(zerossl?.directory, 'https://acme.zerossl.com/v2/DV90')
  assert.deepEqual(zerossl.externalAccount, { kid: 'def', hmacKey: 'c2VjcmV0' })
  assert.deepEqual(zerossl.profile, { name: 'classic', required: false })
})

test('a site has its own settings before the defaults', async () => {
  const yaml = `
defaults:
  issuer: [letsencrypt, zerossl]
  redirect: off
  certificate: { keys: ecdsa-p384, grouping: perName }
sites:
  a.example.com: http://h
  b.example.com:
    upstream: https://app.internal
    aliases: www.b.example.com
    redirect: on
    issuer: internal
    certificate: { keys: [rsa-2048], grouping: perSite }
`
  const [first, second] = (await loadGood(yaml)).config.sites
  assert.deepEqual(
    [first?.redirectToHttps, first?.keys, first?.grouping, first?.issuers],
    [false, ['ecdsa-p384'], 'perName', ['letsencrypt', 'zerossl']],
  )
  assert.deepEqual(
    [second?.redirectToHttps, second?.keys, second?.grouping, second?.issuers],
    [true, ['rsa-2048'], 'perSite', ['internal']],
  )
  assert.deepEqual(second?.names, ['b.example.com', 'www.b.example.com'])
  assert.deepEqual(second?.action, proxyTo({ scheme: 'https', host: 'app.internal', port: 443 }))
})

test('a redirect has an origin and the status 308', async () => {
  const site = await siteOf('sites: { www.example.com: { redirectTo: "https://Example.com:443/" } }')
  assert.deepEqual(site.action, { type: 'redirect', to: 'https://example.com', status: 308 })
})

test('a redirect to the same host on a port that is not listened on is no loop', async () => {
  const site = await siteOf('sites: { a.example: { redirectTo: "https://a.example:9443" } }')
  assert.deepEqual(site.action, { type: 'redirect', to: 'https://a.example:9443', status: 308 })
})

test('a wildcard may redirect to a name that another site has', async () => {
  const yaml = 'sites:\n  "*.a.test": { redirectTo: https://www.a.test }\n  www.a.test: http://h\n'
  assert.equal((await loadGood(yaml)).config.sites.length, 2)
})

test('names are lower-case punycode, and addresses canonical', async () => {
  const yaml = 'sites:\n  Bücher.Example.: http://h\n  "[2001:DB8:0:0::1]": http://h\n  192.0.2.1: http://h\n'
  assert.deepEqual(
    (await loadGood(yaml)).config.sites.map(({ name }) => name),
    ['xn--bcher-kva.example', '2001:db8::1', '192.0.2.1'],
  )
})

test('Forwarded and Via are off unless a site or the defaults turn them on', async () => {
  const yaml = `
defaults: { via: on }
sites:
  a.example: http://h
  b.example: { upstream: http://h, forwarded: on, via: off }
`
  const { sites } = (await loadGood(yaml)).config
  assert.deepEqual(
    sites.map(({ forwarded, via }) => [forwarded, via]),
    [
      [false, true],
      [true, false],
    ],
  )
})

test('several addresses share the requests of an upstream, as its settings say', async () => {
  const yaml = `
defaults: { limits: { concurrent: 9, queue: 3 } }
sites:
  a.example:
    upstream:
      to: [http://10.0.0.1:8080, { url: http://10.0.0.2:8080, weight: 2 }]
      balance: { hash: { header: X-User } }
      sticky: { cookie: at }
      health: { path: /healthz, every: 1s, status: 204, host: app.example }
      retries: 2
      limits: { concurrent: 5, queue: 0, wait: 1s }
  b.example:
    upstream: { to: http://app.internal, resolve: all, balance: roundRobin, health: {} }
    limits: { wait: 2s }
`
  const [a, b] = (await loadGood(yaml)).config.sites
  const [first, second] = [a, b].map((site) => site?.action.type === 'proxy' && site.action.upstream)
  assert.ok(first && second)
  assert.deepEqual(first.targets, [
    { address: { scheme: 'http', host: '10.0.0.1', port: 8080 }, weight: 1 },
    { address: { scheme: 'http', host: '10.0.0.2', port: 8080 }, weight: 2 },
  ])
  const usual = { everyMs: 10_000, timeoutMs: 2_000, healthyAfter: 1, unhealthyAfter: 3 }
  assert.deepEqual(first.balancing, {
    balance: { by: 'hash', of: 'header', name: 'x-user' },
    sticky: 'at',
    everyAddress: false,
    health: { ...usual, path: '/healthz', everyMs: 1_000, status: 204, host: 'app.example' },
    retries: 2,
    concurrency: { concurrent: 5, queue: 0, waitMs: 1_000 },
  })
  assert.deepEqual(second.balancing, {
    ...BALANCING,
    balance: { by: 'roundRobin' },
    everyAddress: true,
    health: { ...usual, path: '/', status: undefined, host: undefined },
  })
  assert.deepEqual(
    [a, b].map((site) => site?.concurrency),
    [
      { concurrent: 9, queue: 3, waitMs: 10_000 },
      { concurrent: 9, queue: 3, waitMs: 2_000 },
    ],
  )
})

test('what must be equal for a hash is written in these ways', async () => {
  for (const [written, balance] of [
    ['clientAddress', { by: 'hash', of: 'clientAddress' }],
    ['{ clientAddress: on }', { by: 'hash', of: 'clientAddress' }],
    ['{ cookie: id }', { by: 'hash', of: 'cookie', name: 'id' }],
  ] as const) {
    const { action } = await siteOf(
      `sites: { a.example: { upstream: { to: [http://h, http://i], balance: { hash: ${written} } } } }`,
    )
    assert.ok(action.type === 'proxy')
    assert.deepEqual(action.upstream.balancing.balance, balance)
  }
})

test('an upstream has settings of its own, and its certificate is trusted from the file that is named', async () => {
  const yaml = `
sites:
  a.example:
    upstream:
      to: https://10.0.0.1:8443
      timeouts: { connect: 1s, firstByte: 10m, idle: 1h }
      tls: { trust: pki/backend.pem, serverName: Backend.Internal }
  b.example: { upstream: { to: unix:app.sock, timeouts: { idle: 90s }, proxyProtocol: v2 } }
`
  const { config, warnings } = await loadGood({ 'castellan.yaml': yaml, 'pki/backend.pem': CERTIFICATE })
  assert.deepEqual(
    config.sites.map(({ action }) => action),
    [
      proxyTo(
        { scheme: 'https', host: '10.0.0.1', port: 8443 },
        {
          timeouts: { connectMs: 1_000, firstByteMs: 600_000, idleMs: 3_600_000 },
          tls: { trust: CERTIFICATE, serverName: 'backend.internal', verify: true },
        },
      ),
      proxyTo(
        { scheme: 'unix', path: resolve(config.folder, 'app.sock') },
        { timeouts: { connectMs: 5_000, firstByteMs: 60_000, idleMs: 90_000 }, proxyProtocol: 'v2' },
      ),
    ],
  )
  assert.deepEqual(
    warnings.map(problemLine).filter((line) => line.includes('upstream')),
    [],
  )
})

test('an upstream whose certificate is not verified is warned of', async () => {
  const { config, warnings } = await loadGood(
    'sites:\n  a.test:\n    upstream: { to: https://h, tls: { verify: off } }\n',
  )
  assert.deepEqual(warnings.map(problemLine), [
    'castellan.yaml:3:47: sites."a.test".upstream.tls.verify: whoever stands on the way to this upstream can read and ' +
      'change everything, for its certificate is not verified; better give its certificate, or that of its authority, ' +
      'as tls.trust',
  ])
  const action = config.sites[0]?.action
  assert.equal(action?.type === 'proxy' && action.upstream.tls.verify, false)
})

test('sockets and files are relative to the file that names them', async () => {
  const files = {
    'castellan.yaml': 'include: sites.d/*.yaml\nlisten: { http: "unix:run/http.sock" }\nstorage: keep',
    'sites.d/a.yaml':
      'sites:\n  a.example:\n    upstream: unix:app.sock\n    certificate: { files: [{ certificate: a.crt, key: a.key }] }',
    'sites.d/a.crt': CERTIFICATE,
    'sites.d/a.key': PRIVATE_KEY,
    'sites.d/.#a.yaml': 'the lock of an editor',
  }
  const { config } = await loadGood(files)
  const at = (path: string): string => resolve(config.folder, path)
  assert.equal(config.storage.folder, at('keep'))
  assert.deepEqual(config.listen.http, [{ type: 'unix', path: at('run/http.sock') }])
  const [site] = config.sites
  assert.deepEqual(site?.action, proxyTo({ scheme: 'unix', path: at('sites.d/app.sock') }))
  assert.deepEqual(site.files, [{ certificate: at('sites.d/a.crt'), key: at('sites.d/a.key') }])
})

test("included sites come after the file's own, in the order of the file names, and a glob may match the config", async () => {
  const files = {
    'castellan.yaml': 'include: ["*.yaml", none/*.yaml]\nsites: { c.example: http://h }',
    'b.yaml': 'sites: { b.example: http://h }',
    'a.yaml': 'sites: { a.example: http://h }',
  }
  const { sites } = (await loadGood(files)).config
  assert.deepEqual(
    sites.map(({ name }) => name),
    ['c.example', 'a.example', 'b.example'],
  )
})

test('wildcards are served from files, from the internal CA, and where no public CA has a say', async () => {
  const yaml = `sites:
  "*.example.com": { upstream: http://h, certificate: { files: [{ certificate: a.crt, key: a.key }] } }
  "*.example.net": { upstream: http://h, issuer: internal }
  "*.localhost": http://h
  "*.test": http://h
`
  const { sites } = (await loadGood({ 'castellan.yaml': yaml, 'a.crt': CERTIFICATE, 'a.key': PRIVATE_KEY })).config
  assert.equal(sites.length, 4)
})

test('what a public CA asks beforehand is said, once for each, and only where one is asked', async () => {
  const warningsOf = async (yaml: string): Promise<string[]> => (await loadGood(yaml)).warnings.map(problemLine)
  const site = (name: string, issuer: string): string => `  ${name}: { upstream: http://h, issuer: ${issuer} }\n`
  assert.deepEqual(await warningsOf(`sites:\n  localhost: http://h\n${site('a.example.com', 'internal')}`), [])
  assert.deepEqual(await warningsOf(`acceptTerms: on\nsites: { a.example.com: http://h, b.example.com: http://h }`), [])
  const account = 'it wants an account that you have there already; give externalAccount with kid and hmacKey'
  assert.deepEqual(
    await warningsOf(
      `acceptTerms: on\nissuers: { google: { externalAccount: { kid: a, hmacKey: YQ } } }\nsites:\n${site('a.example.com', '[zerossl, google]')}`,
    ),
    [`castellan.yaml:2:1: issuers.zerossl: zerossl will issue nothing: ${account}`],
  )
})

test('a redirect to where nothing listens is worth a warning, unless a proxy in front may end HTTPS', async () => {
  const warningsOf = async (listen: string, rest = ''): Promise<string[]> =>
    (await loadGood(`listen: { https: [], ${listen} }\n${rest}sites: { localhost: http://h }\n`)).warnings.map(
      problemLine,
    )
  assert.deepEqual(await warningsOf('http: ":8080"'), [
    'castellan.yaml:1:11: listen.https: localhost will redirect to HTTPS, where nothing listens; set defaults.redirect to false, ' +
      'or, behind a proxy that ends HTTPS, listen.trustedProxies to its address',
  ])
  assert.deepEqual(await warningsOf('http: ":8080", trustedProxies: [127.0.0.1]'), [])
  assert.deepEqual(await warningsOf('http: ":8080"', 'defaults: { redirect: false }\n'), [])
})

test('a name that none of the own files covers, and an include from nowhere, are worth a warning', async () => {
  const yaml = `include: nowhere/*.yaml
sites:
  b.example: { upstream: http://h, aliases: [a.example], certificate: { files: { certificate: a.crt, key: a.key } } }
`
  const { warnings } = await loadGood({ 'castellan.yaml': yaml, 'a.crt': CERTIFICATE, 'a.key': PRIVATE_KEY })
  assert.deepEqual(warnings.map(problemLine), [
    'castellan.yaml:1:10: include: found "nowhere/*.yaml", whose folder is not there; nothing is included from it',
    'castellan.yaml:3:73: sites."b.example".certificate.files: no certificate covers b.example; clients refuse it there',
  ])
})

test('must-staple is asked for by a site or by all, and a CA without OCSP is worth a warning', async () => {
  const yaml = `acceptTerms: on
defaults: { certificate: { mustStaple: on }, issuer: [zerossl, letsencrypt] }
issuers: { zerossl: { externalAccount: { kid: a, hmacKey: YQ } } }
sites:
  a.example.com: { upstream: http://h, certificate: { mustStaple: off } }
  b.example.com: http://h
  c.example.com: { upstream: http://h, issuer: letsencrypt-staging, certificate: { mustStaple: on } }
  d.example.com: { upstream: http://h, issuer: internal, certificate: { mustStaple: on } }
  e.example.com: { upstream: http://h, issuer: zerossl, certificate: { mustStaple: on } }
`
  const { config, warnings } = await loadGood(yaml)
  assert.deepEqual(
    config.sites.map(({ mustStaple }) => mustStaple),
    [false, true, true, true, true],
  )
  assert.deepEqual(warnings.map(problemLine), [
    "castellan.yaml:2:40: defaults.certificate.mustStaple: found it asked of letsencrypt, which has no OCSP; Let's Encrypt refuses the order; turn it off, or choose another issuer",
    `castellan.yaml:7:96: sites."c.example.com".certificate.mustStaple: found it asked of letsencrypt-staging, which has no OCSP; Let's Encrypt refuses the order; turn it off, or choose another issuer`,
    'castellan.yaml:8:85: sites."d.example.com".certificate.mustStaple: found it asked of internal, which has no OCSP; internal leaves it out; turn it off, or choose another issuer',
  ])
})

test("an address is certified by Let's Encrypt in the profile shortlived alone, which is worth a warning", async () => {
  const yaml = (profile: string) => `acceptTerms: on
issuers: { letsencrypt: { ${profile} }, own: { directory: "https://ca.example/dir" } }
sites:
  "8.8.8.8": http://h
  a.example.com: { upstream: http://h, aliases: ["2606:4700::1111"] }
  "9.9.9.9": { upstream: http://h, issuer: own }
  "10.0.0.1": http://h
`
  const { warnings } = await loadGood(yaml('profile: tlsserver'))
  assert.deepEqual(warnings.map(problemLine), [
    "castellan.yaml:2:36: issuers.letsencrypt.profile: found tlsserver, and a certificate for 8.8.8.8, 2606:4700::1111 is wanted; Let's Encrypt certifies addresses in the profile shortlived alone: set it",
  ])
  assert.deepEqual((await loadGood(yaml('profile: shortlived'))).warnings, [])
  const [without] = (await loadGood('acceptTerms: on\nsites: { "8.8.8.8": http://h }')).warnings
  assert.match(problemLine(without!), /letsencrypt\.profile: found none, and a certificate for 8\.8\.8\.8 is wanted/)
})

test('the fallback is one of the names, also an alias', async () => {
  const yaml = 'fallback: WWW.a.example\nsites: { a.example: { upstream: http://h, aliases: [www.a.example] } }'
  assert.equal((await loadGood(yaml)).config.fallback, 'www.a.example')
})

test('HSTS is on for 60 days unless said otherwise (RFC 6797 §6.1), off by default', async () => {
  const off = { mode: 'on', maxAgeSeconds: 5_184_000, includeSubdomains: false, preload: false }
  const forms: [string, object | undefined][] = [
    ['on', off],
    ['true', off],
    ['off', undefined],
    ['false', undefined],
    ['{}', off],
    ['{ ramp: true }', { ...off, mode: 'ramp' }],
    ['retire', { ...off, mode: 'retire', maxAgeSeconds: 0 }],
    ['{ maxAge: 5m }', { ...off, maxAgeSeconds: 300 }],
    [
      '{ maxAge: 730d, includeSubdomains: true, preload: on }',
      { mode: 'on', maxAgeSeconds: 63_072_000, includeSubdomains: true, preload: true },
    ],
  ]
  for (const [written, policy] of forms)
    assert.deepEqual(
      (await siteOf(`sites: { a.example: { upstream: http://h, hsts: ${written} } }`)).hsts,
      policy,
      written,
    )
  assert.equal(
    (await siteOf('defaults: { hsts: on }\nsites: { a.example: { upstream: http://h, hsts: off } }')).hsts,
    undefined,
  )
})

test('turning HSTS on warns, once for each place where it is turned on', async () => {
  const yaml = `defaults:
  hsts: on
sites:
  a.example: http://h
  b.example: { upstream: http://h, hsts: off }
  c.example:
    upstream: http://h
    hsts: { maxAge: 36h }
`
  const outcome = await load({ 'castellan.yaml': yaml })
  assert.deepEqual('lines' in outcome && outcome.lines, [
    'castellan.yaml:2:9: defaults.hsts: HSTS is on, with a max-age of 60d (5184000 s); for 60d after each visit browsers ' +
      'will refuse the site if HTTPS ever goes away, and nobody can click past a certificate error; use it only if HTTPS is there to stay',
    'castellan.yaml:8:5: sites."c.example".hsts: HSTS is on, with a max-age of 36h (129600 s); for 36h after each visit browsers ' +
      'will refuse the site if HTTPS ever goes away, and nobody can click past a certificate error; use it only if HTTPS is there to stay',
  ])
})

test('a ramp and a retirement of HSTS warn too', async () => {
  const outcome = await load({
    'castellan.yaml': `sites:
  a.example: { upstream: http://h, hsts: { ramp: on } }
  b.example: { upstream: http://h, hsts: retire }
`,
  })
  assert.deepEqual('lines' in outcome && outcome.lines, [
    'castellan.yaml:2:36: sites."a.example".hsts: HSTS is on a ramp to a max-age of 60d (5184000 s); for 60d after each ' +
      'visit browsers will refuse the site if HTTPS ever goes away, and nobody can click past a certificate error; use ' +
      'it only if HTTPS is there to stay',
    'castellan.yaml:3:42: sites."b.example".hsts: HSTS is being retired; browsers that have seen it refuse the site ' +
      'without HTTPS until they come again or its max-age is over: leave HTTPS up until "castellan certs show" says that ' +
      'it is safe',
  ])
})

test('on, off, true and false stand for each other, and what the environment says is text', async () => {
  const yaml = `
acceptTerms: on
workers: \${WORKERS}
log: { level: "\${LEVEL:-warn}", access: "\${ACCESS}" }
sites: { a.example: { upstream: "http://\${HOST:-app}:3000", redirect: false } }
`
  const { config } = await loadGood(yaml, { WORKERS: '3', ACCESS: 'false', HOST: '' })
  assert.deepEqual(
    [config.acceptTerms, config.workers, config.log.level, config.log.access],
    [true, 3, 'warn', undefined],
  )
  assert.deepEqual(config.sites[0]?.action, proxyTo({ scheme: 'http', host: 'app', port: 3000 }))
  assert.equal(config.sites[0]?.redirectToHttps, false)
})

test('a variable cannot change the structure of the config', async () => {
  const yaml = `storage: \${DATA}\nsites: { a.example: http://h }`
  const { config } = await loadGood(yaml, { DATA: `x\nworkers: 9 # \${HOME}` })
  assert.equal(config.storage.folder, resolve(config.folder, `x\nworkers: 9 # \${HOME}`))
  assert.equal(config.workers, 'auto')
})

test("anchors and aliases repeat a site's settings", async () => {
  const yaml = 'sites:\n  a.example: &app { upstream: http://h, redirect: off }\n  b.example: *app\n'
  const { sites } = (await loadGood(yaml)).config
  assert.deepEqual(
    sites.map(({ name, redirectToHttps }) => [name, redirectToHttps]),
    [
      ['a.example', false],
      ['b.example', false],
    ],
  )
})

test('config.example.yaml is what npm start runs, and loads without a warning', async () => {
  const file = new URL('../../config.example.yaml', import.meta.url).pathname
  const { config, warnings } = await loadConfig({ file, env: {} })
  assert.deepEqual(warnings, [])
  assert.deepEqual(config.listen, {
    https: [{ type: 'tcp', host: undefined, port: 8443 }],
    http: [{ type: 'tcp', host: undefined, port: 8080 }],
    socketMode: 0o660,
    proxyProtocolFrom: [],
    trustedProxies: [],
  })
  assert.deepEqual(
    config.sites.map(({ name, action }) => [name, action]),
    [['localhost', proxyTo(APP)]],
  )
})

test('what config.example.yaml explains in comments loads as well', async () => {
  const example = await readFile(new URL('../../config.example.yaml', import.meta.url), 'utf8')
  const commented = example
    .split('\n')
    .slice(1)
    .flatMap((line) => /^# ( *(?:- )?(?:["*\w.-]+:(?: .*)?|\{.*))$/.exec(line)?.[1] ?? [])
  const files = { 'castellan.yaml': commented.join('\n'), 'corp-root.pem': CERTIFICATE, 'sites.d/.keep': '' }
  const { config, warnings } = await loadGood(files, {
    EAB_KEY: 'c2VjcmV0',
    HOOK_SECRET: 'quiet',
    SMTP_PASSWORD: 'quiet',
  })
  assert.deepEqual(warnings, [])
  assert.deepEqual(
    config.notify.map(({ type }) => type),
    ['webhook', 'email'],
  )
  assert.deepEqual(
    config.sites.map(({ name }) => name),
    ['shop.example.com', 'blog.example.com', 'app.example.com', 'example.com', 'www.example.org', '*'],
  )
  assert.equal(config.contact, 'ops@example.com')
  assert.equal(config.issuers.get('corporate')?.account, 'perIssuer')
})

test('the largest body is a site’s own matter, or that of the defaults', async () => {
  const yaml = `defaults: { limits: { body: 1MiB } }
sites:
  a.localhost: http://h
  b.localhost: { upstream: http://h, limits: { body: 0B } }
`
  const { sites } = (await loadGood(yaml)).config
  assert.deepEqual(
    sites.map(({ policy }) => policy.maxBodyBytes),
    [1_048_576, 0],
  )
})

test('the access log goes to standard output as the log does, or to a file as JSON, or is off', async () => {
  const site = 'sites: { example.com: http://h }'
  const accessOf = async (access: string) => {
    const { config } = await loadGood(`${site}\nlog: { access: ${access} }`)
    return { ...config.log, folder: config.folder }
  }
  assert.equal((await accessOf('off')).access, undefined)
  const { access, folder } = await accessOf('{ file: logs/access.log }')
  assert.deepEqual(access, { file: resolve(folder, 'logs/access.log'), format: 'json' })
  assert.deepEqual((await accessOf('{ format: combined }')).access, { file: undefined, format: 'combined' })
})

test('limits, times and trusted networks are read, numbers also from the environment', async () => {
  const yaml = `
sites: { example.com: http://h }
listen: { socketMode: "600", proxyProtocol: { from: 10.0.0.0/8 }, trustedProxies: ["2001:DB8::/32", "[FD00::1]", 192.0.2.7, unix] }
limits: { connections: "\${MOST}", connectionsPerAddress: 64, requestLine: 16KiB, header: 64KiB, bodyRate: 1KiB }
timeouts: { hello: 2s, handshake: 4s, header: 20s, body: 1m, idle: 5m, write: 2m }
`
  const { config } = await loadGood(yaml, { MOST: '2000' })
  assert.equal(config.listen.socketMode, 0o600)
  assert.deepEqual(config.listen.proxyProtocolFrom, ['10.0.0.0/8'])
  assert.deepEqual(config.listen.trustedProxies, ['2001:db8::/32', 'fd00::1', '192.0.2.7', 'unix'])
  assert.deepEqual(config.limits, {
    ...LIMITS,
    connections: 2000,
    connectionsPerAddress: 64,
    requestLine: 16_384,
    header: 65_536,
    bodyRate: 1024,
  })
  assert.deepEqual(config.timeouts, {
    drainMs: 10_000,
    reloadDrainMs: 86_400_000,
    helloMs: 2_000,
    handshakeMs: 4_000,
    headerMs: 20_000,
    bodyMs: 60_000,
    idleMs: 300_000,
    writeMs: 120_000,
  })
})

test('the error of a config has its code, every problem and a line for each', async () => {
  const error = await loadConfig({ file: '/nowhere/castellan.yaml', env: {} }).catch((reason: unknown) => reason)
  assert.ok(error instanceof ConfigError)
  assert.equal(error.code, 'config-invalid')
  assert.equal(error.problems.length, 1)
  assert.equal(
    error.message,
    'The config /nowhere/castellan.yaml has 1 problem:\n/nowhere/castellan.yaml: cannot be read: there is no such file; ' +
      'allowed: a YAML file in UTF-8 that this user may read',
  )
})
