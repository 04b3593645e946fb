import { glob, stat } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join, relative, resolve } from 'node:path'
import type { DocumentNames, Spot } from './document.ts'
import type { Findings } from './findings.ts'
import { Refusal } from './problem.ts'

/** What makes a path a pattern. */
const GLOB = /[*?[\]{}]/

/** A file, and where the config includes it. */
export type IncludedFile = { readonly names: DocumentNames; readonly spot: Spot }

/**
 * The files that `include` (at `spot`) names, sorted within each pattern, each once, and never the config itself. A
 * pattern may match nothing; a plain path is returned whether or not it exists.
 */
export async function includedFiles(
  patterns: readonly string[],
  config: DocumentNames,
  spot: Spot,
  findings: Findings,
): Promise<IncludedFile[]> {
  const paths = new Map<string, Spot>()
  for (const [index, pattern] of patterns.entries()) {
    const place = spot.item(index)
    const found = await matches(pattern, dirname(config.path), place, findings)
    if (found?.length === 0 && !(await hasFolder(pattern, dirname(config.path)))) findings.warn(place, noFolder)
    for (const path of found ?? []) paths.set(path, place)
  }
  paths.delete(config.path)
  return [...paths].map(([path, place]) => ({ names: { path, file: displayName(path, config) }, spot: place }))
}

async function matches(pattern: string, folder: string, spot: Spot, findings: Findings): Promise<string[] | undefined> {
  if (!GLOB.test(pattern)) return [resolve(folder, pattern)]
  try {
    const found = await Array.fromAsync(glob(pattern, { cwd: folder }))
    // Editors keep locks and backups beside a file, as hidden files.
    return found
      .filter((path) => !basename(path).startsWith('.'))
      .map((path) => resolve(folder, path))
      .sort()
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    findings.refuse(spot, new Refusal('allowed: a path or a glob', { fault: `which cannot be searched: ${reason}` }))
    return undefined
  }
}

/** A folder without files is a beginning, but one that is not there a typing error. */
async function hasFolder(pattern: string, folder: string): Promise<boolean> {
  const steps = pattern.split('/')
  const plain = steps.slice(
    0,
    steps.findIndex((step) => GLOB.test(step)),
  )
  return (
    (
      await stat(resolve(folder, plain.join('/') || (pattern.startsWith('/') ? '/' : '.'))).catch(() => undefined)
    )?.isDirectory() === true
  )
}

const noFolder = new Refusal('nothing is included from it', { fault: 'whose folder is not there' })

/** Named as the config is: relative to the working directory if that is how the operator gave it. */
function displayName(path: string, config: DocumentNames): string {
  return isAbsolute(config.file) ? path : join(dirname(config.file), relative(dirname(config.path), path))
}
