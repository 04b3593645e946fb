import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { missing } from '../programs.ts'

const run = promisify(execFile)

/** Why a test that asks the openssl program is skipped, or false. */
export const withoutOpenssl = missing('openssl')

/**
 * What openssl says, on both outputs, of files that are given by name and content and lie in its working folder. Rejects
 * if it fails.
 */
export async function openssl(args: readonly string[], files: Record<string, string | Uint8Array>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'castellan-openssl-'))
  try {
    for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content)
    const { stdout, stderr } = await run('openssl', args, { cwd: folder })
    return stdout + stderr
  } finally {
    await rm(folder, { recursive: true })
  }
}
