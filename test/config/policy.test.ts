import assert from 'node:assert/strict'
import { test } from 'node:test'
import { edgeSnapshot } from '../../src/supervisor/edge-config.ts'
import { load, loadGood } from './config-folder.ts'

const APP = 'upstream: "http://h"'

test('of each key, what is said innermost counts; off rids a site or route of what was said further out', async () => {
  const { sites } = (
    await loadGood(`
defaults: { compress: on, maintenance: on, limits: { body: 1KiB } }
sites:
  a.test:
    ${APP}
    compress: { encodings: gzip, minSize: 0B, types: TEXT/html }
    maintenance: { active: off, allow: [10.0.0.1/8, unix], retryAfter: 1500ms }
    routes:
      - { path: /off, compress: off, maintenance: off, respond: 404 }
      - { path: /own, compress: { types: [application/json] }, respond: 404 }
  b.test: { ${APP}, maintenance: off }
`)
  ).config
  const [a, b] = sites
  assert.deepEqual(a?.policy.compress, { encodings: ['gzip'], minBytes: 0, types: ['text/html'] })
  assert.deepEqual(a.policy.maintenance, { isActive: false, allow: ['10.0.0.1/8', 'unix'], retryAfterSeconds: 2 })
  assert.deepEqual(a.routes[0]?.policy, { maxBodyBytes: 1024, headers: undefined, guards: undefined })
  assert.deepEqual(a.routes[1]?.policy.compress, {
    encodings: ['zstd', 'br', 'gzip'],
    minBytes: 1024,
    types: ['application/json'],
  })
  assert.deepEqual(a.routes[1]?.policy.maintenance, a.policy.maintenance)
  assert.deepEqual([b?.policy.maintenance, b?.policy.compress?.encodings], [undefined, ['zstd', 'br', 'gzip']])
  assert.ok(b?.policy.compress?.types.includes('text/*'))
})

test('pages are relative to the file that names them, read once, and sent to workers once however many sites have them', async () => {
  const { config } = await loadGood({
    'castellan.yaml': `
defaults: { errors: { default: pages/error.html } }
include: sites.d/*.yaml
sites: { a.test: { ${APP} }, b.test: { ${APP}, errors: off }, c.test: { ${APP} } }
`,
    'sites.d/d.yaml': `sites: { d.test: { ${APP}, errors: { 404: ./lost.html, intercept: [404] } } }`,
    'pages/error.html': 'error',
    'sites.d/lost.html': 'lost',
  })
  const paths = [`${config.folder}/pages/error.html`, `${config.folder}/sites.d/lost.html`] as const
  assert.deepEqual(Object.fromEntries(config.pages), { [paths[0]]: 'error', [paths[1]]: 'lost' })
  assert.deepEqual(
    config.sites.map(({ policy }) => policy.errors),
    [
      { byStatus: [], otherwise: paths[0], intercept: [] },
      undefined,
      { byStatus: [], otherwise: paths[0], intercept: [] },
      { byStatus: [{ status: 404, page: paths[1] }], otherwise: undefined, intercept: [404] },
    ],
  )
  assert.deepEqual(edgeSnapshot(config).pages, { [paths[0]]: 'error', [paths[1]]: 'lost' })
})

test('fields come to the workers as they are to be written, and numbers and switches are text', async () => {
  const { sites } = (
    await loadGood(`
sites:
  a.test:
    ${APP}
    headers: { request: { set: { Host: app:80, X-N: 1 }, remove: Cookie }, response: { add: { X-B: true } } }
    routes: [{ path: /a, headers: {}, respond: 404 }]
`)
  ).config
  assert.deepEqual(sites[0]?.policy.headers, {
    request: { set: ['Host', 'app:80', 'X-N', '1'], add: [], remove: ['Cookie'] },
    response: { set: [], add: ['X-B', 'true'], remove: [] },
  })
  assert.deepEqual(sites[0].routes[0]?.policy.headers, { request: undefined, response: undefined })
})

for (const [rule, settings, problem] of [
  [
    'a coding that there is not',
    'compress: { encodings: deflate }',
    /encodings: found "deflate".*allowed: zstd, br, gzip/,
  ],
  ['the same coding twice', 'compress: { encodings: [br, br] }', /encodings\[1\].*name each once/],
  ['a type that is none', 'compress: { types: html }', /types: found "html"; allowed: a media type/],
  ['gRPC', 'compress: { types: application/grpc+proto }', /gRPC compresses its messages itself/],
  ['a size without its unit', 'compress: { minSize: 1000 }', /minSize: found 1000; did you mean "1000B"/],
  ['a word that is no switch', 'compress: maybe', /compress: found "maybe".*allowed: on, off, or a mapping/],
  ['everybody as an exception', 'maintenance: { allow: 0.0.0.0/0 }', /allow: found "0\.0\.0\.0\/0"/],
  ['an exception that is no address', 'maintenance: { allow: me }', /allow: found "me"; allowed: a network/],
  ['no time at all', 'maintenance: { retryAfter: 0s }', /retryAfter: found "0s", which is too short/],
  ['hold in the config', 'maintenance: hold', /maintenance: found "hold".*allowed: on, off/],
] as const)
  test(`refuses ${rule}`, async () => {
    const outcome = await load({ 'castellan.yaml': `sites: { a.test: { ${APP}, ${settings} } }` })
    assert.ok('problems' in outcome)
    assert.equal(outcome.problems.length, 1)
    assert.match(outcome.problems[0]!, problem)
  })
