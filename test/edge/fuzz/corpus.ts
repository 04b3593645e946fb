import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Failure } from './segmentation.ts'

/** Cases that were once found, and are tried ever after. */
const FOLDER = join(import.meta.dirname, '../corpus')

export type CorpusCase = {
  /** What is done with it, as in Failure. */
  readonly kind: string
  /** What was wrong with it. */
  readonly found: string
  /** Each character a byte. */
  readonly bytes: string
}

export function* corpus(): Generator<CorpusCase & { readonly name: string }> {
  for (const file of readdirSync(FOLDER).sort())
    if (file.endsWith('.json'))
      yield { name: file, ...(JSON.parse(readFileSync(join(FOLDER, file), 'utf8')) as CorpusCase) }
}

/** Keeps a case that failed, and gives the path. */
export function keep({ kind, bytes, message }: Failure, seed: number): string {
  mkdirSync(FOLDER, { recursive: true })
  const path = join(FOLDER, `${kind.replaceAll(/\W+/g, '-')}-${seed}.json`)
  const found: CorpusCase = { kind, found: message.slice(0, 500), bytes }
  writeFileSync(path, `${JSON.stringify(found, undefined, 2)}\n`)
  return path
}
