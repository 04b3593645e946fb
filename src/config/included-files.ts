import { glob } from 'node:fs/promises'
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
    for (const path of await matches(pattern, dirname(config.path), place, findings)) paths.set(path, place)
  }
  paths.delete(config.path)
  return [...paths].map(([path, place]) => ({ names: { path, file: displayName(path, config) }, spot: place }))
}

async function matches(pattern: string, folder: string, spot: Spot, findings: Findings): Promise<string[]> {
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
    return []
  }
}

/** Named as the config is: relative to the working directory if that is how the operator gave it. */
function displayName(path: string, config: DocumentNames): string {
  return isAbsolute(config.file) ? path : join(dirname(config.file), relative(dirname(config.path), path))
}
