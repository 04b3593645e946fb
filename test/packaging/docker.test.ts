import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chown, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { Castellan, makePlace } from '../e2e/castellan.ts'
import { curl } from '../e2e/curl.ts'
import { missing } from '../programs.ts'

const ROOT = join(import.meta.dirname, '../..')
const run = promisify(execFile)

/** Of the image; nobody on this machine. */
const USER = 65532

type Instruction = { readonly name: string; readonly text: string }

async function instructions(): Promise<Instruction[]> {
  const text = await readFile(join(ROOT, 'Dockerfile'), 'utf8')
  const lines = text
    .replace(/^#.*\n/gm, '')
    .replaceAll('\\\n', ' ')
    .split('\n')
    .filter((line) => line !== '')
  return lines.map((line) => {
    const [, name, rest] = /^([A-Z]+)\s+(.*)$/.exec(line)!
    return { name: name!, text: rest! }
  })
}

/** What the last stage says in the JSON form, which needs no shell. */
function command(all: readonly Instruction[], name: string): string[] {
  const { text } = all.findLast((each) => each.name === name)!
  return JSON.parse(text.slice(text.indexOf('[')))
}

test('what the Dockerfile copies and runs is there, and sent to the builder', async () => {
  const ignored = (await readFile(join(ROOT, '.dockerignore'), 'utf8')).split('\n')
  const { scripts } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'))
  const all = await instructions()
  const copied = all.filter(({ name, text }) => name === 'COPY' && !text.includes('--from='))
  const sources = copied.flatMap(({ text }) => text.split(/\s+/).slice(0, -1))
  assert.ok(sources.length >= 4)
  for (const source of sources) {
    assert.ok(existsSync(join(ROOT, source)), source)
    assert.ok(ignored.includes(`!${source}`), `${source} is not sent`)
  }
  const commands = all.filter(({ name }) => name === 'RUN').map(({ text }) => text)
  const asked = commands.flatMap((text) => [...text.matchAll(/npm run ([\w:]+)/g)].map(([, script]) => script ?? ''))
  assert.deepEqual(asked, ['build:binary'])
  for (const script of asked) assert.ok(script in scripts, script)
  for (const [, file = ''] of commands.join('\n').matchAll(/\bsh (\S+)/g)) assert.ok(existsSync(join(ROOT, file)), file)
})

test('the image is the program, run by a user without rights, in a form that needs no shell', async () => {
  const all = await instructions()
  const stages = all.filter(({ name }) => name === 'FROM').map(({ text }) => text)
  assert.equal(stages.at(-1), 'scratch')
  for (const stage of stages.slice(0, -1)) assert.match(stage, /^[\w./-]+:\d+[\w.-]* AS \w+$/)
  assert.equal(all.findLast(({ name }) => name === 'USER')?.text, `${USER}:${USER}`)
  const entry = command(all, 'ENTRYPOINT')
  assert.deepEqual(entry, ['/usr/bin/castellan'])
  assert.deepEqual(command(all, 'CMD'), ['run'])
  assert.deepEqual(command(all, 'HEALTHCHECK').slice(0, 2), [...entry, 'health'])
  assert.ok(!all.some(({ name }) => name === 'ADD'))
  for (const { text } of all.filter((each) => each.text.includes('apt-get install')))
    assert.match(text, /--no-install-recommends .*rm -rf \/var\/lib\/apt\/lists/)
})

/** As a container has it: nothing outside of the image is there, and nothing in it can be written but /data and /tmp. */
const CONTAIN = `
mount --bind "$1" "$1" && mount -o remount,bind,ro "$1"
mount --bind "$2" "$1/data" && mount -t tmpfs tmpfs "$1/tmp"
mount --rbind /dev "$1/dev" && mount -t proc proc "$1/proc" 2>/dev/null || mount --rbind /proc "$1/proc"
root=$1 user=$3; shift 3
exec chroot $user "$root" "$@"
`

function contained(root: string, data: string, isRoot: boolean): [string, ...string[]] {
  const space = isRoot ? ['--mount'] : ['--user', '--map-root-user', '--mount']
  const user = isRoot ? `--userspec=${USER}:${USER}` : '--'
  return ['unshare', ...space, 'sh', '-eu', '-c', CONTAIN, 'sh', root, data, user]
}

test('what the image holds is enough to serve, without rights and on a root that cannot be written', {
  skip: missing('unshare') || missing('curl'),
}, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'castellan-image-'))
  const place = await makePlace()
  t.after(() => Promise.all([folder, place.folder].map((each) => rm(each, { recursive: true }))))
  const binary = join(folder, 'castellan')
  const root = join(folder, 'image')
  await run(process.execPath, [join(ROOT, 'packaging/binary/build.ts'), '--output', binary])
  await run('sh', [join(ROOT, 'packaging/docker/root.sh'), binary, root])
  assert.deepEqual(await readdir(join(root, 'usr/bin')), ['castellan'])
  // Who runs an image makes these.
  for (const name of ['dev', 'proc']) await mkdir(join(root, name))
  const isRoot = process.getuid?.() === 0
  const data = await mkdtemp(join(folder, 'data-'))
  if (isRoot) await chown(data, USER, USER)

  const app = createServer((_request, response) => response.end('hello'))
  await once(app.listen(0, '127.0.0.1'), 'listening')
  t.after(() => app.close())
  const all = await instructions()
  const into = contained(root, data, isRoot)
  const env = {
    PATH: process.env.PATH,
    CASTELLAN_SITE: 'localhost',
    CASTELLAN_UPSTREAM: `http://127.0.0.1:${(app.address() as AddressInfo).port}`,
    CASTELLAN_HTTPS: `127.0.0.1:${place.httpsPort}`,
    CASTELLAN_HTTP: `127.0.0.1:${place.httpPort}`,
    CASTELLAN_LOG_FORMAT: 'json',
  }
  const health = (): Promise<string> =>
    run(into[0], [...into.slice(1), ...command(all, 'HEALTHCHECK')], { env: { PATH: process.env.PATH } }).then(
      ({ stdout }) => stdout,
      ({ stdout, code }) => `${code}: ${stdout}`,
    )
  assert.match(await health(), /^1: not serving/)
  const castellan = new Castellan(folder, command(all, 'CMD'), env, [], [...into, ...command(all, 'ENTRYPOINT')])
  t.after(() => castellan.process.kill('SIGKILL'))
  await castellan.until('certificate-issued', 2)
  await castellan.until('serving')
  const ca = join(data, 'issuers/internal/root.crt')
  const { output } = await curl('--cacert', ca, `https://localhost:${place.httpsPort}/`)
  assert.match(output, /^HTTP\/2 200 [\s\S]*hello$/)
  assert.match(await health(), /^serving: /)
  assert.equal(await castellan.stop(), 0)
  assert.equal(castellan.text, '')
})
