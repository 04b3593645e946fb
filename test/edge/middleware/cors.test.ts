import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Auth, Cors } from '../../../src/guards.ts'
import { exchangeBytes, plainGuards, plainPolicy, serve, siteOf, startUpstream } from '../serve.ts'

const APP = 'https://app.example.com'

const settings: Cors = {
  origins: [APP, 'https://*.preview.example.com'],
  methods: ['GET', 'POST'],
  headers: undefined,
  exposeHeaders: [],
  credentials: false,
  maxAgeSeconds: 3_600,
}

const LOCKED: Auth = {
  type: 'basic',
  users: [['alice', '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW']],
  realm: 'restricted',
  passAuthorization: false,
}

async function scene(t: TestContext, overrides: Partial<Cors> = {}, auth?: Auth) {
  const asked: string[] = []
  const upstream = await startUpstream(({ method }, response) => {
    asked.push(method!)
    response.writeHead(200, {
      'Access-Control-Allow-Origin': '*',
      'access-control-allow-credentials': 'true',
      Vary: 'Accept',
    })
    response.end('app')
  })
  const cors = { ...settings, ...overrides }
  const proxy = await serve([
    siteOf(upstream.address, { policy: { ...plainPolicy, guards: { ...plainGuards, cors, auth } } }),
  ])
  t.after(async () => {
    await proxy.close()
    await upstream.close()
  })
  const ask = async (method: string, fields: string) => {
    const answer = await exchangeBytes(
      proxy.port,
      `${method} / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n${fields}\r\n`,
    )
    const [head] = answer.split('\r\n\r\n') as [string]
    const lines = head.split('\r\n').slice(1)
    const values = (name: string) =>
      lines.filter((line) => line.toLowerCase().startsWith(`${name}: `)).map((line) => line.slice(name.length + 2))
    return { status: Number(answer.slice(9, 12)), values }
  }
  return { proxy, asked, ask }
}

const PREFLIGHT = 'Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: content-type, x-a\r\n'

test('a preflight is answered before anybody is asked for a password, and the app hears nothing of it', async (t) => {
  const { ask, asked } = await scene(t, { exposeHeaders: ['X-B'] }, LOCKED)
  const { status, values } = await ask('OPTIONS', `Origin: ${APP}\r\n${PREFLIGHT}`)
  assert.equal(status, 204)
  assert.deepEqual(values('access-control-allow-origin'), [APP])
  assert.deepEqual(values('access-control-allow-methods'), ['GET, POST'])
  assert.deepEqual(values('access-control-allow-headers'), ['content-type, x-a'])
  assert.deepEqual(values('access-control-max-age'), ['3600'])
  assert.deepEqual(values('access-control-allow-credentials'), [])
  assert.match(values('vary').join(), /\bOrigin\b/)
  assert.deepEqual(asked, [])
  const refused = await ask('GET', `Origin: ${APP}\r\n`)
  assert.deepEqual([refused.status, refused.values('access-control-allow-origin')], [401, [APP]])
})

test('what the app says of CORS itself is replaced, and caches are told', async (t) => {
  const { ask } = await scene(t, { credentials: true, exposeHeaders: ['X-B', 'X-C'] })
  const { values } = await ask('GET', `Origin: ${APP}\r\n`)
  assert.deepEqual(values('access-control-allow-origin'), [APP])
  assert.deepEqual(values('access-control-allow-credentials'), ['true'])
  assert.deepEqual(values('access-control-expose-headers'), ['X-B, X-C'])
  assert.deepEqual(values('vary'), ['Accept', 'Origin'])
})

test('only the fields that are listed may be set, where some are', async (t) => {
  const { ask } = await scene(t, { headers: ['Content-Type'] })
  const { values } = await ask('OPTIONS', `Origin: ${APP}\r\n${PREFLIGHT}`)
  assert.deepEqual(values('access-control-allow-headers'), ['Content-Type'])
})

test('with "*" every origin gets the same answer, but for null', async (t) => {
  const { ask } = await scene(t, { origins: '*' })
  for (const fields of ['', `Origin: ${APP}\r\n`, 'Origin: https://else.where\r\n']) {
    const { values } = await ask('GET', fields)
    assert.deepEqual([values('access-control-allow-origin'), values('vary')], [['*'], ['Accept']])
  }
  assert.equal((await ask('OPTIONS', `Origin: null\r\n${PREFLIGHT}`)).status, 403)
})

test('an OPTIONS that is no preflight is the app’s', async (t) => {
  const { ask, asked } = await scene(t)
  await ask('OPTIONS', `Origin: ${APP}\r\n`)
  await ask('OPTIONS', 'Access-Control-Request-Method: POST\r\n')
  assert.deepEqual(asked, ['OPTIONS', 'OPTIONS'])
})

for (const origin of ['https://pr-1.preview.example.com', APP])
  test(`a page of ${origin} may`, async (t) => {
    const { ask } = await scene(t)
    assert.deepEqual((await ask('GET', `Origin: ${origin}\r\n`)).values('access-control-allow-origin'), [origin])
  })

for (const origin of [
  'null',
  'https://preview.example.com',
  'https://a.b.preview.example.com',
  'https://*.preview.example.com',
  'https://.preview.example.com',
  'https://evil.test/.preview.example.com',
  'https://evil.test#.preview.example.com',
  'https://a.preview.example.com.evil.test',
  'http://app.example.com',
  'https://app.example.com:8443',
  'https://app.example.com.evil.test',
  'https://app.example.com, https://evil.test',
  `${APP}\r\nOrigin: https://evil.test`,
])
  test(`a page of ${JSON.stringify(origin)} may not`, async (t) => {
    const { ask, proxy, asked } = await scene(t, { credentials: true })
    const { values, status } = await ask('GET', `Origin: ${origin}\r\n`)
    assert.deepEqual([status, values('access-control-allow-origin'), values('vary')], [200, [], ['Accept', 'Origin']])
    assert.deepEqual(values('access-control-allow-credentials'), [])
    assert.equal((await ask('OPTIONS', `Origin: ${origin}\r\n${PREFLIGHT}`)).status, 403)
    assert.deepEqual([proxy.accesses.at(-1)?.why, asked], ['origin-denied', ['GET']])
  })
