import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { readExplainArguments } from '../../src/cli/explain/asked-request.ts'
import { type Explanation, explain, type ShownCertificate } from '../../src/cli/explain/explanation.ts'
import { type LiveState, NONE_RUNS } from '../../src/cli/explain/live-state.ts'
import { formatExplanation } from '../../src/cli/explain.ts'
import type { Config } from '../../src/config/config.ts'
import { loadConfig } from '../../src/config/load.ts'
import { siteSnapshot } from '../../src/supervisor/edge-config.ts'
import { exchangeBytes, type Served, serve, startUpstream, type Upstream } from '../edge/serve.ts'

// The words of an explanation, and that what it says is what happens.

let folder: string
let config: Config
let plain: Config
let app: Upstream
let proxy: Served
let seen: string[] = []

const SHOWN: ShownCertificate[] = [{ names: ['a.example', 'www.a.example'], words: 'ecdsa-p256, to all clients' }]

before(async () => {
  app = await startUpstream((request, response) => {
    seen.push(`${request.method} ${request.url}`)
    response.end()
  })
  const port = app.address.scheme === 'unix' ? 0 : app.address.port
  folder = await mkdtemp(join(tmpdir(), 'castellan-explain-'))
  const file = join(folder, 'castellan.yaml')
  await writeFile(
    file,
    `acceptTerms: true
sites:
  a.example:
    aliases: [www.a.example]
    canonical: true
    upstream: http://127.0.0.1:${port}
    routes:
      - { path: /files/*, upstream: "http://127.0.0.1:${port}", stripPrefix: /files, limits: { body: 1KiB } }
      - { path: /files/*, methods: [DELETE], respond: 403 }
      - { path: /old/*, redirectTo: "https://new.example", code: 301 }
      - { path: /secret, respond: { status: 404, body: nothing here } }
      - { path: /beta, matchHeaders: { X-Beta: "1", X-Any: true }, respond: 200 }
  b.example:
    redirect: off
    routes: [{ path: /only/*, methods: [GET, PUT], respond: 204 }]
  c.example: { redirectTo: "https://a.example" }
  e.example:
    limits: { concurrent: 10 }
    upstream:
      to: [http://127.0.0.1:1, { url: "http://127.0.0.1:2", weight: 2 }]
      balance: { hash: { header: X-User } }
      sticky: { cookie: at }
      health: { path: /healthz }
      limits: { concurrent: 5, queue: 0, wait: 1s }
  "*.d.example": { upstream: "http://127.0.0.1:${port}", issuer: internal }
`,
  )
  config = (await loadConfig({ file, env: {} })).config
  // Over HTTP, so that no certificate has a say.
  plain = { ...config, sites: config.sites.map((site) => ({ ...site, redirectToHttps: false })) }
  proxy = await serve(plain.sites.map((site) => siteSnapshot(site, { hsts: undefined })))
})

after(async () => {
  await Promise.all([proxy.close(), app.close()])
  await rm(folder, { recursive: true })
})

function explained(
  args: readonly string[],
  shown: readonly ShownCertificate[] = SHOWN,
  live: LiveState = NONE_RUNS,
): Explanation {
  const given = readExplainArguments(args)
  assert.ok(!('mistake' in given), JSON.stringify(given))
  return explain(config, given.request, shown, live)
}

test('each step is named, and why', () => {
  const { steps, outcome, status, why } = explained(['GET', 'https://a.example/files//x/../y?q'])
  assert.deepEqual(steps.map(({ step, is }) => `${step}: ${is}`).slice(0, 6), [
    'listener: https on port 443',
    'certificate: ecdsa-p256, to all clients',
    'site: a.example: its name',
    'path: /y?q, as the app sees it',
    'route: /files/*: the most specific of 5 that takes it',
    'limits: a body of more than 1024 bytes is refused with 413',
  ])
  assert.match(outcome, /^what http:\/\/127\.0\.0\.1:\d+ answers to GET \/y\?q$/)
  assert.deepEqual([status, why], [undefined, undefined])
})

test('what is refused says with what, and what the log will say', () => {
  const text = formatExplanation(explained(['GET', 'https://a.example/x%2f..%2fsecret']))
  assert.match(text, /^path +another server could read it as \/secret, which is another route's$/m)
  assert.match(text, /^answer +400: the path has two readings$/m)
  assert.match(text, /^in the log +why: path-ambiguous$/m)
})

test('a name without a site, or without a certificate, is told before everything else', () => {
  assert.match(
    formatExplanation(explained(['GET', 'https://z.example/'], [])),
    /none: z\.example is no name of a site\n/,
  )
  assert.equal(explained(['GET', 'https://z.example/'], []).outcome, 'the handshake is refused')
  assert.match(
    formatExplanation(explained(['GET', 'https://a.example/'], [])),
    /none yet for a\.example, so that handshakes/,
  )
  assert.match(
    formatExplanation(explained(['GET', 'https://192.0.2.1/'], [])),
    /sends no server name, and the config has no "fallback"/,
  )
})

test('a host that the certificate of the connection does not cover is misdirected (RFC 9110 §7.4)', () => {
  const { status, why } = explained(['GET', 'https://b.example/', '--sni', 'a.example'])
  assert.deepEqual([status, why], [421, 'host-not-certified'])
})

test('plain HTTP is sent to HTTPS, to where HTTPS is', () => {
  assert.equal(explained(['GET', 'http://a.example/x?y']).outcome, '308 to https://a.example/x?y')
})

const BALANCED = ['GET', 'https://e.example/']
const BALANCED_SHOWN: ShownCertificate[] = [{ names: ['e.example'], words: 'ecdsa-p256, to all clients' }]

test('how several addresses share the requests is told', () => {
  const { steps } = explained(BALANCED, BALANCED_SHOWN)
  assert.deepEqual(
    steps.slice(3).map(({ step, is }) => `${step}: ${is}`),
    [
      'limits: of this site, 10 requests at a time; 100 more wait, for 10 s at the most; beyond: 503',
      'upstream: http://127.0.0.1:1 or http://127.0.0.1:2',
      'balance: hash: the same for the same value of the header x-user, and random without one; weights 1 : 2; who has the cookie at comes back to the same; up to 1 more after a failure',
      'limits: of each address, 5 requests at a time; 0 more wait, for 1 s at the most; beyond: 503',
      'health: GET /healthz every 10 s says whether an address is well',
    ],
  )
})

test('what the program that runs knows of the addresses is told, and when none takes requests', () => {
  const facts = { sites: [], weight: 1, since: 0, underWay: 0, requests: 0, failures: 0 }
  const drained = { ...facts, url: 'http://127.0.0.1:1', state: 'drained', why: 'asked by hand' } as const
  const down = { ...facts, url: 'http://127.0.0.1:2', state: 'down', why: 'It answered 500.' } as const
  const other = { ...facts, url: 'http://127.0.0.1:3', state: 'down', why: undefined } as const
  const half = explained(BALANCED, BALANCED_SHOWN, { upstreams: [drained, other], maintenance: [] })
  assert.deepEqual(half.steps.at(-1), { step: 'now', is: 'http://127.0.0.1:1 is drained: asked by hand' })
  assert.equal(half.status, undefined)
  const none = explained(BALANCED, BALANCED_SHOWN, { upstreams: [drained, down], maintenance: [] })
  assert.deepEqual(none.steps.at(-1), { step: 'now', is: 'http://127.0.0.1:2 is down: It answered 500' })
  assert.deepEqual([none.status, none.why], [503, 'upstream-none'])
})

test('a site that an operator has closed is refused', () => {
  const closed = { site: 'a.example', mode: 'on', since: 0, until: undefined } as const
  const { status, why } = explained(['GET', 'https://a.example/'], SHOWN, { upstreams: [], maintenance: [closed] })
  assert.deepEqual([status, why], [503, 'maintenance'])
})

for (const [what, args] of [
  ['no URL', ['GET']],
  ['too much', ['GET', 'https://a.example/', 'b']],
  ['no method', ['G E T', 'https://a.example/']],
  ['no host', ['GET', '/path']],
  ['another scheme', ['GET', 'ftp://a.example/']],
  ['a path that no request may have', ['GET', 'https://a.example/a b']],
  ['CONNECT', ['CONNECT', 'https://a.example/']],
  ['a field without a colon', ['GET', 'https://a.example/', '-H', 'X']],
  ['no address', ['GET', 'https://a.example/', '--from', 'a.example']],
  ['an option that is none', ['GET', 'https://a.example/', '--form', 'x']],
] as const)
  test(`${what} is told before anything is looked at`, () => {
    assert.ok('mistake' in readExplainArguments(args))
  })

const REQUESTS: readonly (readonly [method: string, host: string, target: string, ...headers: string[]])[] = [
  ['GET', 'a.example', '/'],
  ['GET', 'A.EXAMPLE.', '/x?y=/../z'],
  ['GET', 'www.a.example', '/files/x'],
  ['GET', 'a.example', '/files'],
  ['GET', 'a.example', '/FILES/a%2fb?c'],
  ['DELETE', 'a.example', '/files/x'],
  ['GET', 'a.example', '/files/../secret'],
  ['GET', 'a.example', '/secret/'],
  ['GET', 'a.example', '/secret;x'],
  ['GET', 'a.example', '/x\\..\\secret'],
  ['POST', 'a.example', '/old/a/b?c'],
  ['GET', 'a.example', '/beta'],
  ['GET', 'a.example', '/beta', 'x-beta: 1', 'x-any:'],
  ['GET', 'a.example', '/beta', 'x-beta: 2', 'x-any: 1'],
  ['GET', 'a.example', '/.well-known/acme-challenge/x'],
  ['HEAD', 'b.example', '/only/x'],
  ['POST', 'b.example', '/only/x'],
  ['GET', 'b.example', '/other'],
  ['GET', 'c.example', '/x?y'],
  ['GET', 'x.d.example', '/x'],
  ['GET', 'y.x.d.example', '/x'],
  ['GET', 'z.example', '/x'],
]

for (const [method, host, target, ...headers] of REQUESTS)
  test(`it says what happens to ${[method, host + target, ...headers].join(' ')}`, async () => {
    seen = []
    const head = [`${method} ${target} HTTP/1.1`, `Host: ${host}`, ...headers, 'Connection: close', '', '']
    const answer = await exchangeBytes(proxy.port, head.join('\r\n'))
    const status = Number(answer.split(' ')[1])
    const fields = headers.flatMap((line) => ['--header', line])
    const given = readExplainArguments([method, `http://${host}${target}`, ...fields])
    assert.ok(!('mistake' in given))
    const said = explain(plain, given.request, [])
    if (said.status === undefined) {
      assert.equal(status, 200)
      assert.deepEqual(seen, [said.outcome.replace(/^.* answers to /, '')])
    } else {
      assert.deepEqual([said.status, said.why], [status, proxy.accesses.at(-1)?.why])
      assert.deepEqual(seen, [])
      const location = /^Location: (.*)$/m.exec(answer)?.[1]
      if (location !== undefined) assert.equal(said.outcome, `${status} to ${location}`)
    }
  })
