import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { makePlace } from '../e2e/castellan.ts'
import { missing } from '../programs.ts'
import { doMainJob } from './main-job.ts'

const BUILD = join(import.meta.dirname, '../../packaging/binary/build.ts')

test('the single executable does the main job in an empty folder, on a PATH without Node', {
  skip: missing('curl'),
}, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'castellan-binary-'))
  const empty = await mkdtemp(join(tmpdir(), 'castellan-path-'))
  const place = await makePlace({ access: '{ file: ./access.log }' })
  t.after(() => Promise.all([folder, empty, place.folder].map((each) => rm(each, { recursive: true }))))
  const binary = join(folder, 'castellan')
  await promisify(execFile)(process.execPath, [BUILD, '--output', binary])
  assert.deepEqual(await readdir(folder), ['castellan'])
  assert.deepEqual((process.env.PATH ?? '').split(delimiter).includes(empty), false)
  await doMainJob(t, { command: [binary], env: { PATH: empty } }, place)
})
