import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type LoadedConfig, loadConfig } from '../../src/config/load.ts'
import { ConfigError, formatProblem } from '../../src/config/problem.ts'

export type Files = Readonly<Record<string, string | Uint8Array>>

/** What came of a config: itself and its warnings, or every line of its problems. Paths start at the folder. */
export type Outcome = (LoadedConfig & { readonly lines: readonly string[] }) | { readonly problems: readonly string[] }

/** Writes files into a temporary folder, loads its castellan.yaml and removes the folder. */
export async function load(files: Files, env: Readonly<Record<string, string>> = {}): Promise<Outcome> {
  const folder = await mkdtemp(join(tmpdir(), 'castellan-config-'))
  const relative = (line: string): string => line.replaceAll(`${folder}/`, '')
  try {
    for (const [name, content] of Object.entries(files)) {
      await mkdir(dirname(join(folder, name)), { recursive: true })
      await writeFile(join(folder, name), content)
    }
    const loaded = await loadConfig({ file: join(folder, 'castellan.yaml'), env, isThorough: true })
    return { ...loaded, lines: loaded.warnings.map(formatProblem).map(relative) }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return { problems: error.problems.map(formatProblem).map(relative) }
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** A config that must load. */
export async function loadGood(files: Files | string, env?: Readonly<Record<string, string>>): Promise<LoadedConfig> {
  const outcome = await load(typeof files === 'string' ? { 'castellan.yaml': files } : files, env)
  if ('problems' in outcome) throw new Error(outcome.problems.join('\n'))
  return outcome
}

/** The problems of a config that must not load. */
export async function problemsOf(
  files: Files | string,
  env?: Readonly<Record<string, string>>,
): Promise<readonly string[]> {
  const outcome = await load(typeof files === 'string' ? { 'castellan.yaml': files } : files, env)
  return 'problems' in outcome ? outcome.problems : []
}
