import { execFileSync } from 'node:child_process'
import { globSync, rmSync } from 'node:fs'
import { join } from 'node:path'

// What `npm run build` and `npm pack` run: the sources as JavaScript in dist/, for Node strips no types in a package.

const ROOT = join(import.meta.dirname, '../..')

// What a former build made of a file that is gone now would be packed, too. A binary that stands there is not its own.
for (const file of globSync('dist/**/*.js', { cwd: ROOT })) rmSync(join(ROOT, file))
execFileSync(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json'], {
  cwd: ROOT,
  stdio: 'inherit',
})
