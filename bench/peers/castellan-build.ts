import { execFile } from 'node:child_process'
import { copyFile, mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describeError } from '../../src/errors.ts'
import { BenchError } from '../bench-error.ts'

const ROOT = join(import.meta.dirname, '../..')
/** Where it finds the packages, and nobody else takes it for sources. */
const FOLDER = join(ROOT, 'node_modules/.cache/castellan-bench')
const BUILD_TIMEOUT_MS = 120_000

/** The script to run, and the Node to run it with. */
export type CastellanBuild = { readonly script: string; readonly node: string }

let built: Promise<CastellanBuild> | undefined

/**
 * Builds the working copy as its package is, once: Node takes the types out of the sources each time they are loaded, which
 * is for whoever works on them, and costs every process 0.2 s and 40 MB. It gets a copy of Node, for of a file that other
 * programs have in memory as well, this one among them, a process counts only its share.
 */
export function buildCastellan(): Promise<CastellanBuild> {
  built ??= build()
  return built
}

async function build(): Promise<CastellanBuild> {
  await rm(FOLDER, { recursive: true, force: true })
  await mkdir(join(FOLDER, 'bin'), { recursive: true })
  const args = ['-p', join(ROOT, 'tsconfig.build.json'), '--outDir', join(FOLDER, 'dist')]
  try {
    await promisify(execFile)(join(ROOT, 'node_modules/.bin/tsc'), args, { timeout: BUILD_TIMEOUT_MS })
  } catch (cause) {
    throw new BenchError('program-failed', `the working copy cannot be built: ${describeError(cause)}`, { cause })
  }
  for (const file of ['package.json', 'bin/castellan.js', 'bin/package.json'])
    await copyFile(join(ROOT, file), join(FOLDER, file))
  const node = join(FOLDER, 'bin/node')
  await copyFile(process.execPath, node)
  return { script: join(FOLDER, 'bin/castellan.js'), node }
}
