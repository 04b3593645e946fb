import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rename, rm, stat, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { makePlace } from '../e2e/castellan.ts'
import { missing } from '../programs.ts'
import { doMainJob } from './main-job.ts'

const ROOT = join(import.meta.dirname, '../..')
const run = promisify(execFile)

/** Sources, comments included, are 1.6 MB; ten times that is something that was not meant to be there. */
const MAX_PACKED_BYTES = 1024 * 1024

type Packed = { readonly filename: string; readonly size: number; readonly files: readonly { readonly path: string }[] }

async function pack(folder: string): Promise<Packed> {
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', folder], { cwd: ROOT })
  const [packed] = Object.values(JSON.parse(stdout.slice(stdout.search(/^[[{]/m)))) as [Packed]
  return packed
}

/** The package, and beside it what it depends on, as npm would lay it; `npm rebuild` then links the commands. */
async function install(tarball: string, folder: string): Promise<void> {
  const modules = join(folder, 'node_modules')
  await mkdir(modules)
  await run('tar', ['-xzf', tarball, '-C', modules])
  await rename(join(modules, 'package'), join(modules, 'castellan'))
  const { packages } = JSON.parse(await readFile(join(ROOT, 'package-lock.json'), 'utf8'))
  for (const [path, { dev }] of Object.entries<{ dev?: boolean }>(packages)) {
    if (path === '' || dev || path.lastIndexOf('node_modules/') > 0) continue
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await symlink(join(ROOT, path), join(folder, path))
  }
  await run('npm', ['rebuild', '--ignore-scripts'], { cwd: folder })
}

test('the package holds what runs and nothing else, and does the main job where it is installed', {
  skip: missing('npm') || missing('curl'),
}, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'castellan-npm-'))
  const place = await makePlace({ access: '{ file: ./access.log }' })
  t.after(() => Promise.all([folder, place.folder].map((each) => rm(each, { recursive: true }))))
  const { filename, size, files } = await pack(folder)
  const paths = files.map(({ path }) => path)
  const expected = ['README.md', 'bin/castellan.js', 'config.schema.json', 'dist/main.js', 'package.json']
  assert.deepEqual(
    expected.filter((path) => !paths.includes(path)),
    [],
  )
  assert.deepEqual(
    paths.filter((path) => !/^(bin|dist)\/[\w./-]+\.(js|json)$|^[\w.]+\.(md|json|yaml)$/.test(path)),
    [],
  )
  assert.ok(size < MAX_PACKED_BYTES, `${size} bytes`)
  await install(join(folder, filename), place.folder)
  // What npx of any Node does: the package's own Node goes ahead of it.
  const commands = join(place.folder, 'node_modules/.bin')
  assert.ok((await stat(join(commands, 'node'))).isFile())
  const env = { ...process.env, PATH: `${commands}${delimiter}${process.env.PATH}` }
  const { stdout } = await run('npx', ['--no-install', 'castellan', '--version'], { cwd: place.folder })
  assert.match(stdout, /^castellan \d/)
  await doMainJob(t, { command: [join(commands, 'castellan')], env }, place)
})
