import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Config } from '../../src/config/config.ts'
import { optionOf } from '../../src/config/environment.ts'
import { environmentKeys } from '../../src/config/environment-keys.ts'
import { formatEnvironmentPage } from '../../src/config/environment-page.ts'
import { loadConfig } from '../../src/config/load.ts'
import { ConfigError, formatProblem } from '../../src/config/problem.ts'
import { loadGood } from './config-folder.ts'

type Variables = Readonly<Record<string, string>>

/** Variables, without the prefix that all have. */
function prefixed(variables: Variables): Variables {
  return Object.fromEntries(Object.entries(variables).map(([name, text]) => [`CASTELLAN_${name}`, text]))
}

async function problemsOf(env: Variables): Promise<string[]> {
  const error = await loadConfig({ file: 'env:', env }).catch((cause: unknown) => cause)
  assert.ok(error instanceof ConfigError)
  return error.problems.map(formatProblem)
}

async function configOf(variables: Variables): Promise<Config> {
  return (await loadConfig({ file: 'env:', env: prefixed(variables) })).config
}

/** What two configs can have in common that were read in different folders. */
function comparable({ file: _, folder, storage, ...rest }: Config): unknown {
  return { ...rest, storage: storage.folder.replace(folder, '') }
}

const SIDECAR = { SITE: 'example.com', UPSTREAM: 'http://app:3000' }

test('the environment is a config like that of a file', async () => {
  const variables = {
    SITE: 'example.com, www.example.com',
    UPSTREAM: 'h2://app:3000',
    UPSTREAM_TIMEOUTS_IDLE: '1h',
    HTTPS: ':8443, [::1]:9443',
    HTTP: '[]',
    TRUSTED_PROXIES: '10.0.0.0/8',
    STORAGE: './certificates',
    CONTACT: 'ops@example.com',
    ACCEPT_TERMS: 'true',
    ISSUER: 'corp-ca,internal',
    ISSUERS_CORP_CA_DIRECTORY: 'https://ca.test/directory',
    REDIRECT: 'off',
    HSTS_RAMP: 'on',
    CERTIFICATE_KEYS: 'ecdsa-p256',
    LIMITS_BODY: '1MiB',
    LIMITS_CONNECTIONS: '100',
    LOG_FORMAT: 'json',
    LOG_ACCESS: 'off',
    METRICS: '127.0.0.1:9180',
    WORKERS: '3',
  }
  const { config } = await loadGood(`
storage: ./certificates
contact: ops@example.com
acceptTerms: true
listen: { https: [":8443", "[::1]:9443"], http: [], trustedProxies: 10.0.0.0/8 }
issuers: { corp-ca: { directory: "https://ca.test/directory" } }
limits: { connections: 100 }
log: { format: json, access: off }
metrics: 127.0.0.1:9180
workers: 3
sites:
  example.com:
    aliases: [www.example.com]
    upstream: { to: "h2://app:3000", timeouts: { idle: 1h } }
    issuer: [corp-ca, internal]
    redirect: off
    hsts: { ramp: on }
    certificate: { keys: ecdsa-p256 }
    limits: { body: 1MiB }
`)
  assert.deepEqual(comparable(await configOf(variables)), comparable(config))
})

test('a problem names the variable, in the words that a file is told in', async () => {
  const problems = await problemsOf(prefixed({ ...SIDECAR, UPSTREAM: 'app:3000', HTTPS: '8443', WORKERS: 'many' }))
  assert.deepEqual(problems.toSorted(), [
    'CASTELLAN_HTTPS: found "8443", which has no colon; did you mean ":8443"? allowed: ":443", "127.0.0.1:443", "[::1]:443", "unix:/run/castellan.sock", "fd:3"',
    'CASTELLAN_UPSTREAM: found "app:3000", which has no scheme; did you mean "http://app:3000"? allowed: http://host:port, https://host:port, unix:/path; for HTTP/2 h2://host:port, h2c://host:port',
    'CASTELLAN_WORKERS: found "many"; allowed: auto (one a core), or a number from 1 to 256',
  ])
})

test('what is missing, or collides with a default, bears the name of the variable that would say it', async () => {
  assert.match((await problemsOf(prefixed({ UPSTREAM: 'http://app:3000' })))[0]!, /^CASTELLAN_SITE: found nothing to/)
  const [noUpstream] = await problemsOf(prefixed({ SITE: 'a.test', UPSTREAM_TLS_VERIFY: 'off' }))
  assert.match(noUpstream!, /^CASTELLAN_UPSTREAM: found nothing; /)
  const [taken] = await problemsOf(prefixed({ ...SIDECAR, HTTP: ':443' }))
  assert.match(taken!, /^CASTELLAN_HTTP: found ":443", but that address is taken already at CASTELLAN_HTTPS; /)
  const { warnings } = await loadConfig({ file: 'env:', env: prefixed(SIDECAR) })
  assert.match(warnings.map(formatProblem).join(), /^CASTELLAN_ACCEPT_TERMS: letsencrypt will issue nothing; /)
})

test('a variable that is none is refused, with the one that was probably meant', async () => {
  assert.deepEqual(await problemsOf({ ...prefixed(SIDECAR), CASTELLAN_ACEPT_TERMS: 'on', '--lag-format': 'json' }), [
    'CASTELLAN_ACEPT_TERMS: found a variable that is none; did you mean "CASTELLAN_ACCEPT_TERMS"? "castellan variables" lists them',
    '--lag-format: found an option that is none; did you mean "--log-format"? "castellan variables" lists them',
  ])
})

test("what Kubernetes sets for a service of this name, an empty variable and another's secret are no mistakes", async () => {
  const config = await configOf({
    ...SIDECAR,
    PORT: 'tcp://10.0.0.1:443',
    PORT_443_TCP_ADDR: '10.0.0.1',
    SERVICE_HOST: '10.0.0.1',
    SERVICE_PORT_HTTPS: '443',
    ADMIN_SERVICE_PORT: '443',
    CONTACT: '',
    NOTIFY_WEBHOOK: 'env:CASTELLAN_HOOK',
    HOOK: 'https://hooks.test/x',
  })
  assert.equal(config.contact, undefined)
  assert.equal(config.notify.length, 1)
})

test('a secret may stand in a file, and is in no problem', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'castellan-secret-'))
  t.after(() => rm(folder, { recursive: true }))
  const file = join(folder, 'hook')
  await writeFile(file, 'https://hooks.test/secret\n')
  const config = await configOf({ ...SIDECAR, NOTIFY_WEBHOOK_FILE: file })
  assert.match(JSON.stringify(config.notify), /"https:\/\/hooks\.test\/secret"/)
  const [missing] = await problemsOf(prefixed({ ...SIDECAR, NOTIFY_WEBHOOK_FILE: '/nowhere/hook' }))
  assert.match(missing!, /^CASTELLAN_NOTIFY_WEBHOOK_FILE: found a value, but \/nowhere\/hook cannot be read/)
  const [refused] = await problemsOf(prefixed({ ...SIDECAR, NOTIFY_WEBHOOK: 'ftp://u:hunter2@hooks.test' }))
  assert.match(refused!, /^CASTELLAN_NOTIFY_WEBHOOK: /)
  assert.doesNotMatch(refused!, /hunter2/)
})

test('one setting in two ways is refused, whichever comes first', async () => {
  for (const names of [
    ['HSTS', 'HSTS_MAX_AGE'],
    ['HSTS_MAX_AGE', 'HSTS'],
  ]) {
    const values: Variables = { HSTS: 'on', HSTS_MAX_AGE: '1d' }
    const both = Object.fromEntries(names.map((name) => [name, values[name]!]))
    const [problem] = await problemsOf(prefixed({ ...SIDECAR, ...both }))
    assert.equal(
      problem,
      `CASTELLAN_${names[1]}: found "${values[names[1]!]}", but CASTELLAN_${names[0]} says it, too; set one of the two`,
    )
  }
})

test('an option says more than a variable, and is named in its place', async () => {
  const env = { ...prefixed(SIDECAR), '--to': 'http://other:4000', '--workers': '0' }
  assert.match((await problemsOf(env)).join(), /^--workers: found "0"; /)
  const { config } = await loadConfig({ file: 'env:', env: { ...env, '--workers': '2' } })
  assert.match(JSON.stringify(config.sites[0]!.action), /"host":"other","port":4000/)
})

test('a file is the config even if the environment has one, and that is said', async () => {
  const { warnings } = await loadGood('sites: { a.test: "http://localhost:3000" }', prefixed(SIDECAR))
  assert.match(
    warnings.map(formatProblem).join(),
    /^CASTELLAN_SITE: found a site, but .*castellan\.yaml is the config; /,
  )
})

test('each key has one variable and one option, and the page of the documentation has them all (npm run schema)', async () => {
  const names = [...environmentKeys().keys()]
  // Routes are a list, of which the environment has no second item.
  assert.deepEqual([names.includes('NOTIFY_WEBHOOK'), names.includes('ROUTES_PATH')], [true, false])
  assert.equal(new Set(names.map(optionOf)).size, names.length)
  const paths = [...environmentKeys().values()].map(({ path, isFile }) => JSON.stringify([path, isFile]))
  assert.equal(new Set(paths).size, paths.length)
  const page = await readFile(new URL('../../docs/environment.md', import.meta.url), 'utf8')
  assert.equal(page, formatEnvironmentPage())
})
