import assert from 'node:assert/strict'
import { request } from 'node:http'
import { type TestContext, test } from 'node:test'
import { App } from './app.ts'
import { Castellan, freePort, makePlace } from './castellan.ts'

type Answer = { readonly status: number; readonly app: string; readonly fields: Record<string, unknown> }

/** Castellan in front of two applications or more, with these settings of their upstream. */
async function before(
  t: TestContext,
  settings: string,
  { site = '', workers = 1, metrics = '', names = ['a', 'b'] } = {},
) {
  const apps: App[] = []
  for (const name of names) apps.push(new App(t, name, await freePort()))
  for (const app of apps) await app.start()
  const place = await makePlace()
  const to = apps.map(({ url }) => `"${url}"`).join(', ')
  const configure = (of: string): Promise<void> =>
    place.configure(`workers: ${workers}
${metrics === '' ? '' : `metrics: ${metrics}\n`}sites:
  localhost:
    redirect: false
    certificate: { keys: [ecdsa-p256] }
    upstream: { to: [${to}], ${of} }
    ${site}
`)
  await configure(settings)
  const castellan = new Castellan(place.folder)
  t.after(async () => {
    for (const { pid } of castellan.of('handed-over')) process.kill(Number(pid), 'SIGTERM')
    await castellan.stop()
    await place.remove()
  })
  await castellan.until('serving')
  const ask = (path = '/', options: { method?: string; headers?: Record<string, string> } = {}): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const to = { port: place.httpPort, host: '127.0.0.1', path, agent: false, ...options }
      const asked = request({ ...to, headers: { host: 'localhost', ...options.headers } }, (response) => {
        response.resume()
        response.on('end', () => {
          const { headers, statusCode: status = 0 } = response
          resolve({ status, app: String(headers['x-app'] ?? ''), fields: headers })
        })
      })
      asked.on('error', reject)
      asked.end()
    })
  const order = async (...args: string[]): Promise<{ code: number | null; text: string }> => {
    const run = new Castellan(place.folder, args)
    const { code } = await run.exited
    return { code, text: run.text + run.lines.map((line) => JSON.stringify(line)).join('\n') }
  }
  const command = (...args: string[]) => order('upstreams', ...args)
  return { a: apps[0]!, b: apps[1]!, c: apps[2]!, castellan, configure, ask, order, command }
}

/** So many answers, each as `200 a`, with how often it came. */
async function tally(ask: () => Promise<Answer>, count: number): Promise<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (let each = 0; each < count; each++) {
    const { status, app } = await ask()
    const key = `${status} ${app}`.trim()
    counts[key] = (counts[key] ?? 0) + 1
  }
  return counts
}

/** Asks until an answer is as expected: what the log says first, the workers are told a moment later. */
async function askUntil(ask: () => Promise<Answer>, isExpected: (answer: Answer) => boolean): Promise<Answer> {
  for (let tries = 0; tries < 100; tries++) {
    const answer = await ask()
    if (isExpected(answer)) return answer
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error('No answer was as expected.')
}

test('two apps share the requests; when one is killed, no request fails, and the other has them all', async (t) => {
  const { a, ask, castellan } = await before(t, 'balance: roundRobin')
  assert.deepEqual(await tally(ask, 10), { '200 a': 5, '200 b': 5 })
  await a.kill()
  assert.deepEqual(await tally(ask, 30), { '200 b': 30 })
  const [line] = await castellan.until('upstream-left-out')
  assert.equal(line!.upstream, a.url)
  const [tried] = castellan.of('upstream-unreachable')
  assert.equal(tried!.upstream, a.url)
  assert.equal(tried!.cause, 'ECONNREFUSED')
  await castellan.until('request', 40)
  const retried = castellan.of('request').find(({ attempts }) => attempts === 2)
  assert.notEqual(retried?.upstream, a.url)
})

test('a 500 is passed on, and is no reason to leave an app out', async (t) => {
  const { ask, castellan } = await before(t, 'balance: roundRobin')
  assert.deepEqual(await tally(() => ask('/500'), 20), { '500 a': 10, '500 b': 10 })
  assert.equal(castellan.of('upstream-left-out').length, 0)
})

test('both apps restart within three seconds, and no request fails, whatever its method', async (t) => {
  const { a, b, ask } = await before(t, 'balance: roundRobin, retries: 0')
  await Promise.all([a.kill(), b.kill()])
  const asked = [ask(), ask('/', { method: 'POST' }), ask(), ask('/', { method: 'DELETE' })]
  await new Promise((resolve) => setTimeout(resolve, 700))
  await Promise.all([a.start(), b.start()])
  assert.deepEqual(
    (await Promise.all(asked)).map(({ status }) => status),
    [200, 200, 200, 200],
  )
})

test('a hanging app: what is idempotent goes to the other, the checks take it out, and it comes back', async (t) => {
  const port = await freePort()
  const settings = 'timeouts: { firstByte: 1s }, health: { every: 300ms, timeout: 300ms, unhealthyAfter: 2 }'
  const { a, ask, castellan } = await before(t, `balance: firstAvailable, ${settings}`, {
    metrics: `127.0.0.1:${port}`,
  })
  const scrape = async (): Promise<string> => (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  assert.equal((await ask()).app, 'a')
  a.hang()
  const answer = await ask()
  assert.deepEqual([answer.status, answer.app], [200, 'b'])
  const [down] = await castellan.until('upstream-down')
  assert.match(down!.message, /is down, and gets no requests until it is well again: 2 checks in a row failed/)
  assert.match(await scrape(), new RegExp(`^castellan_upstream_up\\{upstream="${a.url}",path="/"\\} 0$`, 'm'))
  await askUntil(ask, ({ app }) => app === 'b')
  a.goOn()
  await castellan.until('upstream-up')
  await askUntil(ask, ({ app }) => app === 'a')
  assert.equal(castellan.of('upstream-down').length, 1)
})

test('when the checks say that all are down, visitors get 503 with Retry-After, and the log says why', async (t) => {
  const { a, b, ask, castellan } = await before(t, 'health: { every: 200ms, unhealthyAfter: 1 }')
  await Promise.all([a.kill(), b.kill()])
  await castellan.until('upstream-down', 2)
  const { fields } = await askUntil(ask, ({ status }) => status === 503)
  assert.equal(fields['retry-after'], '5')
  const [line] = await castellan.until(({ event, why }) => event === 'request' && why === 'upstream-none')
  assert.equal(line!.status, 503)
})

test('when the checks say that all have just gone down, requests wait for one to come back', async (t) => {
  const { a, b, ask, castellan } = await before(t, 'health: { every: 200ms, unhealthyAfter: 1 }')
  await Promise.all([a.kill(), b.kill()])
  await castellan.until('upstream-down', 2)
  const asked = [ask(), ask('/', { method: 'POST' }), ask()]
  await new Promise((resolve) => setTimeout(resolve, 700))
  await b.start()
  assert.deepEqual(
    (await Promise.all(asked)).map(({ status, app }) => `${status} ${app}`),
    ['200 b', '200 b', '200 b'],
  )
})

test('an operator drains an app, over the life of a worker too, and gives it requests again', async (t) => {
  const { a, b, ask, castellan, command } = await before(t, 'balance: roundRobin')
  const slow = ask('/slow')
  await new Promise((resolve) => setTimeout(resolve, 100))
  const drained = await command('drain', `${a.url}/`)
  assert.equal(drained.code, 0)
  assert.match(drained.text, /drain(ing|ed) /)
  assert.equal((await slow).status, 200)
  assert.deepEqual(await tally(ask, 6), { '200 b': 6 })
  process.kill(Number(castellan.of('worker-ready')[0]!.message.match(/\d+/)![0]), 'SIGKILL')
  await castellan.until('worker-ready', 2)
  assert.deepEqual(await tally(ask, 6), { '200 b': 6 })
  const listed = await command('--json')
  const { upstreams } = JSON.parse(listed.text.trim())
  assert.deepEqual(
    upstreams.map(({ url, state, sites, underWay, requests }: Record<string, unknown>) => [
      url,
      state,
      sites,
      underWay,
      requests,
    ]),
    [
      [a.url, 'drained', ['localhost'], 0, 0],
      [b.url, 'unchecked', ['localhost'], 0, 6],
    ],
  )
  assert.equal((await command('undrain', a.url)).code, 0)
  assert.deepEqual(Object.keys(await tally(ask, 30)).sort(), ['200 a', '200 b'])
  const unknown = await command('drain', 'http://elsewhere')
  assert.equal(unknown.code, 1)
  assert.match(unknown.text, /No upstream is called "http:\/\/elsewhere"/)
  assert.equal((await command('drian', a.url)).code, 2)
})

test('what is drained or down stays so over a reload, and over a takeover', async (t) => {
  const health = 'health: { every: 300ms, timeout: 300ms, unhealthyAfter: 3 }'
  const { a, c, castellan, configure, ask, order, command } = await before(t, health, { names: ['a', 'b', 'c'] })
  await c.kill()
  await castellan.until('upstream-down')
  assert.equal((await command('drain', a.url)).code, 0)
  const statesOf = async (): Promise<[string, number][]> =>
    JSON.parse((await command('--json')).text.trim()).upstreams.map(
      ({ state, since }: { state: string; since: number }) => [state, since],
    )
  const found = await statesOf()
  assert.deepEqual(
    found.map(([state]) => state),
    ['drained', 'up', 'down'],
  )
  await configure(`balance: roundRobin, ${health}`)
  assert.equal((await order('reload')).code, 0)
  assert.deepEqual(await tally(ask, 12), { '200 b': 12 })
  assert.deepEqual(await statesOf(), found)
  assert.equal((await order('upgrade')).code, 0)
  await castellan.until('handed-over')
  assert.deepEqual(await tally(ask, 12), { '200 b': 12 })
  assert.deepEqual(await statesOf(), found)
  await castellan.until('request', 24)
  assert.ok(castellan.of('request').every(({ attempts }) => attempts === undefined))
  await c.start()
  await castellan.until('upstream-up')
  assert.equal((await command('undrain', a.url)).code, 0)
  assert.deepEqual(Object.keys(await tally(ask, 30)).sort(), ['200 a', '200 b', '200 c'])
})

test('a sticky cookie brings a client back, also to the other worker and after a restart of its app', async (t) => {
  const { ask } = await before(t, 'sticky: { cookie: at }', { workers: 2 })
  const first = await ask()
  const [cookie] = String(first.fields['set-cookie']).split(';')
  assert.match(cookie!, /^at=[\w-]{22}$/)
  for (let each = 0; each < 20; each++) {
    const again = await ask('/', { headers: { cookie: cookie! } })
    assert.deepEqual([again.app, again.fields['set-cookie']], [first.app, undefined])
  }
  const forged = await ask('/', { headers: { cookie: 'at=forged' } })
  assert.match(String(forged.fields['set-cookie']), /^at=/)
})

test('beyond limits.concurrent requests wait for their turn, and beyond the queue they get 503', async (t) => {
  const site = 'limits: { concurrent: 2, queue: 2, wait: 30s }'
  const { ask, castellan } = await before(t, 'balance: roundRobin', { site })
  const answers = await Promise.all(Array.from({ length: 6 }, () => ask('/slow')))
  assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 200, 200, 200, 503, 503])
  await castellan.until('request', 6)
  assert.equal(castellan.of('request').filter(({ why }) => why === 'site-full').length, 2)
})

test('of an address, too: who finds all of them full waits, as far as there is room', async (t) => {
  const { ask, castellan } = await before(t, 'limits: { concurrent: 1, queue: 3, wait: 30s }')
  const answers = await Promise.all(Array.from({ length: 8 }, () => ask('/slow')))
  assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 200, 200, 200, 200, 503, 503, 503])
  await castellan.until('request', 8)
  assert.equal(castellan.of('request').filter(({ why }) => why === 'upstream-full').length, 3)
})

test('each address that a name has is one of its own, with checks and all', async (t) => {
  const app = new App(t, 'a', await freePort())
  await app.start()
  const place = await makePlace()
  await place.configure(`workers: 1
sites:
  localhost:
    redirect: false
    certificate: { keys: [ecdsa-p256] }
    upstream: { to: "http://localhost:${app.port}", resolve: all, health: { every: 200ms, unhealthyAfter: 1 } }
`)
  const castellan = new Castellan(place.folder)
  t.after(async () => {
    await castellan.stop()
    await place.remove()
  })
  await castellan.until('serving')
  const [down] = await castellan.until('upstream-down')
  assert.equal(down!.upstream, `http://[::1]:${app.port}`)
  const response = await fetch(`http://localhost:${place.httpPort}/`)
  assert.equal(response.headers.get('x-app'), 'a')
  const [line] = await castellan.until('request')
  assert.equal(line!.upstream, app.url)
})
