import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { bundle } from './bundle.ts'

// What `npm run build:binary` runs: all of Castellan in one script, and that in a copy of the Node that runs this.
// Its symbols for debuggers are a fifth of it, and left out where the machine has `strip`.
//
//   node packaging/binary/build.ts [--output FILE]

const ROOT = join(import.meta.dirname, '../..')
const { values } = parseArgs({ options: { output: { type: 'string', default: join(ROOT, 'dist/castellan') } } })
const output = resolve(values.output)
const folder = mkdtempSync(join(tmpdir(), 'castellan-binary-'))

try {
  const main = join(folder, 'castellan.cjs')
  await bundle(main)
  const executable = join(folder, 'node')
  copyFileSync(process.execPath, executable)
  spawnSync('strip', [executable])
  const settings = {
    main,
    output,
    executable,
    disableExperimentalSEAWarning: true,
    // Workers get flags for V8 in this way: see src/system/own-process.ts.
    execArgvExtension: 'cli',
  }
  const config = join(folder, 'sea.json')
  writeFileSync(config, JSON.stringify(settings))
  mkdirSync(join(output, '..'), { recursive: true })
  // A program that runs would be written into; a new file leaves it alone.
  rmSync(output, { force: true })
  execFileSync(process.execPath, ['--build-sea', config], { stdio: ['ignore', 'ignore', 'inherit'] })
  chmodSync(output, 0o755)
  process.stdout.write(`${output}: ${Math.round(statSync(output).size / 1024 / 1024)} MiB\n`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
