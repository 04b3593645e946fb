import { join } from 'node:path'
import { build } from 'esbuild'

const ROOT = join(import.meta.dirname, '../..')

/**
 * Writes the whole program and its dependencies into one CommonJS file. What the sources import on demand is run on demand
 * there as well: a worker does not load what reads a config. Names and lines stay, for the stacks of errors.
 */
export async function bundle(outfile: string): Promise<void> {
  await build({
    entryPoints: [join(ROOT, 'packaging/binary/entry.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: `node${process.versions.node}`,
    // Every process holds the text: half of it is spaces and comments.
    minifyWhitespace: true,
    legalComments: 'inline',
    logLevel: 'warning',
  })
}
