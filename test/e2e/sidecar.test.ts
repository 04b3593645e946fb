import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { missing } from '../programs.ts'
import { Castellan, makePlace, type Place } from './castellan.ts'
import { curl } from './curl.ts'

// One app, and no file.

const PROGRAM = join(import.meta.dirname, '../../bin/castellan.js')

type Said = { readonly code: number; readonly stdout: string; readonly stderr: string }

async function ask(place: Place, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Said> {
  const options = { cwd: place.folder, env: { ...process.env, ...env } }
  return promisify(execFile)(process.execPath, [PROGRAM, ...args], options).then(
    (said) => ({ ...said, code: 0 }),
    (error: Said) => error,
  )
}

async function startApp(t: TestContext): Promise<number> {
  const app = createServer((_request, response) => response.end('hello'))
  await once(app.listen(0, 'localhost'), 'listening')
  t.after(() => app.close())
  return (app.address() as AddressInfo).port
}

async function visit({ folder, httpsPort }: Place, storage: string, name: string): Promise<void> {
  const ca = join(folder, storage, 'issuers/internal/root.crt')
  const { output } = await curl('--cacert', ca, `https://${name}:${httpsPort}/`)
  assert.match(output, /^HTTP\/2 200 [\s\S]*hello$/)
}

test('the environment alone configures a sidecar, and the commands that look after it', {
  skip: missing('curl'),
}, async (t) => {
  const place = await makePlace()
  const env = {
    CASTELLAN_SITE: 'a.test,b.test',
    CASTELLAN_UPSTREAM: `http://localhost:${await startApp(t)}`,
    CASTELLAN_HTTPS: `127.0.0.1:${place.httpsPort}`,
    CASTELLAN_HTTP: '[]',
    CASTELLAN_STORAGE: './kept',
    CASTELLAN_LOG_FORMAT: 'json',
    CASTELLAN_LOG_LEVEL: 'debug',
  }
  assert.deepEqual((await ask(place, ['health'], env)).code, 1)
  const castellan = new Castellan(place.folder, ['run'], { ...process.env, ...env })
  t.after(async () => {
    await castellan.stop()
    await place.remove()
  })
  await castellan.until('certificate-issued', 2)
  await castellan.until('serving')
  for (const name of ['a.test', 'b.test']) await visit(place, 'kept', name)
  assert.match((await ask(place, ['health'], env)).stdout, /^serving: \d+ of \d+ workers accept connections\n$/)
  assert.match((await ask(place, ['certs', 'list'], env)).stdout, /a\.test/)
  assert.equal((await ask(place, ['validate'], env)).stdout, 'the environment is good: 1 site\n')
})

test('"proxy" serves one app by hand', { skip: missing('curl') }, async (t) => {
  const place = await makePlace()
  const listen = ['--https', `127.0.0.1:${place.httpsPort}`, '--http', `127.0.0.1:${place.httpPort}`]
  const log = ['--log-format=json', '--log-level', 'debug']
  const castellan = new Castellan(place.folder, ['proxy', '--to', `:${await startApp(t)}`, ...listen, ...log])
  t.after(async () => {
    await castellan.stop()
    await place.remove()
  })
  await castellan.until('certificate-issued', 2)
  await castellan.until('serving')
  await visit(place, 'data', 'localhost')
  assert.equal((await ask(place, ['health', '--storage', 'data'])).code, 0)
})

test('what is wrong with options is said of them', async (t) => {
  const place = await makePlace()
  t.after(() => place.remove())
  const wrong: [string[], number, RegExp][] = [
    [[], 2, /--to is needed/],
    [['--to', ':3000', 'a.test'], 2, /takes options alone, not "a\.test"/],
    [['--to', ':3000', '--to', ':4000'], 2, /--to is there twice/],
    [['--to', 'app'], 1, /--to: found "app", which has no scheme; did you mean "http:\/\/app"\?/],
    [
      ['--to', ':3000', '--acept-terms'],
      1,
      /--acept-terms: found an option that is none; did you mean "--accept-terms"\?/,
    ],
  ]
  for (const [args, code, said] of wrong) {
    const { stderr, ...exit } = await ask(place, ['proxy', ...args])
    assert.match(stderr, said)
    assert.equal(exit.code, code)
  }
})
