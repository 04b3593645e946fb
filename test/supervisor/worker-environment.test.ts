import assert from 'node:assert/strict'
import { test } from 'node:test'
import { workerEnvironment } from '../../src/supervisor/worker-environment.ts'

for (const name of ['PATH', 'TMPDIR', 'LANG', 'LC_ALL', 'NODE_OPTIONS', 'NODE_EXTRA_CA_CERTS', 'UV_THREADPOOL_SIZE'])
  test(`${name} is passed to workers`, () => assert.deepEqual(workerEnvironment({ [name]: 'x' }), { [name]: 'x' }))

for (const name of [
  'EAB_KEY',
  'AWS_SECRET_ACCESS_KEY',
  'DATABASE_URL',
  'path',
  'LC',
  'MY_LC_ALL',
  'NODE_TLS_REJECT_UNAUTHORIZED',
  'NODE_CHANNEL_FD',
  'NOTIFY_SOCKET',
  'LISTEN_FDS',
  'LISTEN_PID',
  'SSLKEYLOGFILE',
])
  test(`${name} is not`, () => assert.deepEqual(workerEnvironment({ [name]: 'x', PATH: '/bin' }), { PATH: '/bin' }))
