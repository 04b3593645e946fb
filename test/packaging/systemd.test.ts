import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { Castellan, makePlace } from '../e2e/castellan.ts'
import { curl } from '../e2e/curl.ts'
import { missing } from '../programs.ts'

const ROOT = join(import.meta.dirname, '../..')
const UNITS = join(ROOT, 'packaging/systemd')
const run = promisify(execFile)

/** Of ten, in tenths: a service that systemd has nothing to say against. */
const MAX_EXPOSURE = 20

test('systemd takes the units, and finds the service little exposed', {
  skip: missing('systemd-analyze'),
}, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'castellan-units-'))
  t.after(() => rm(folder, { recursive: true }))
  const files = ['castellan.service', 'castellan.socket'].map((name) => join(folder, name))
  for (const [index, name] of ['castellan.service', 'castellan.socket'].entries()) {
    const unit = await readFile(join(UNITS, name), 'utf8')
    // It looks whether the program is there.
    await writeFile(files[index]!, unit.replaceAll('/usr/bin/castellan', process.execPath))
  }
  const { stdout, stderr } = await run('systemd-analyze', ['verify', ...files])
  assert.equal(stdout + stderr, '')
  await run('systemd-analyze', ['security', '--offline=true', `--threshold=${MAX_EXPOSURE}`, files[0]!])
})

test('the sockets that systemd passes are served, from the connection on that starts the program', {
  skip: missing('systemd-socket-activate') || missing('curl'),
}, async (t) => {
  const place = await makePlace()
  const config = await readFile(join(ROOT, 'examples/systemd/castellan.yaml'), 'utf8')
  await writeFile(
    join(place.folder, 'castellan.yaml'),
    config
      .replace('storage: /var/lib/castellan', 'storage: ./data\nlog: { format: json }')
      .replace('example.com: http://localhost:3000', 'a.test: { redirectTo: "https://b.example" }'),
  )
  const units = await readFile(join(UNITS, 'castellan.socket'), 'utf8')
  // The order of the sockets is that of the config.
  assert.deepEqual(units.match(/^ListenStream=.*/gm), ['ListenStream=443', 'ListenStream=80'])
  const sockets = [place.httpsPort, place.httpPort].flatMap((port) => ['--listen', `127.0.0.1:${port}`])
  const program = [process.execPath, join(ROOT, 'bin/castellan.js')]
  const castellan = new Castellan(
    place.folder,
    ['run'],
    process.env,
    [],
    ['systemd-socket-activate', ...sockets, ...program],
  )
  t.after(async () => {
    castellan.process.kill('SIGKILL')
    await place.remove()
  })
  const first = await curl(
    '--retry-connrefused',
    '--retry',
    '50',
    '--retry-delay',
    '1',
    `http://a.test:${place.httpPort}/x`,
  )
  assert.match(first.output, /^HTTP\/1\.1 308 [\s\S]*location: https:\/\/b\.example\/x/i)
  await castellan.until('certificate-issued', 2)
  await castellan.until('serving')
  const ca = join(place.folder, 'data/issuers/internal/root.crt')
  const { output } = await curl('--cacert', ca, `https://a.test:${place.httpsPort}/y`)
  assert.match(output, /^HTTP\/2 308 [\s\S]*location: https:\/\/b\.example\/y/i)
  assert.equal(await castellan.stop(), 0)
})
