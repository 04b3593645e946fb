import { globSync } from 'node:fs'
import { join } from 'node:path'
import { run } from 'node:test'
import { parseArgs } from 'node:util'

// What `npm run test:all` runs. It adds to node:test what CI needs: tests that were skipped are named and counted, and
// with CI=true they are a failure, for a promise that nobody checked is none.
//
//   node test/run.ts [PART OF A PATH …] [--repeat N]

const { values, positionals } = parseArgs({ options: { repeat: { type: 'string' } }, allowPositionals: true })
const root = join(import.meta.dirname, '..')
const files = globSync('test/**/*.test.ts', { cwd: root })
  .filter((file) => positionals.length === 0 || positionals.some((part) => file.includes(part)))
  .map((file) => join(root, file))
  .sort()

const TEST_TIMEOUT_MS = 120_000
const CONCURRENCY = 2

type Failure = { readonly name: string; readonly file: string | undefined; readonly error: unknown }
const skipped: string[] = []
const failures: Failure[] = []
let passed = 0

async function runOnce(): Promise<void> {
  const events = run({ files, concurrency: CONCURRENCY, timeout: TEST_TIMEOUT_MS })
  events.on('test:pass', ({ name, skip, details }) => {
    if (details.type === 'suite' || name.endsWith('.test.ts')) return
    if (skip === undefined) passed++
    else skipped.push(`${name}: ${skip}`)
  })
  events.on('test:fail', ({ name, file, details }) => {
    const cause = details.error.cause ?? details.error
    failures.push({ name, file, error: cause })
    process.stdout.write(`\n✖ ${name}\n  ${file ?? ''}\n${indent(cause)}\n`)
  })
  events.on('test:stderr', ({ message }) => process.stdout.write(message))
  events.on('test:complete', () => process.stdout.write('.'))
  for await (const _ of events);
}

function indent(error: unknown): string {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return text.replace(/^/gm, '    ')
}

for (let round = 0; round < Number(values.repeat ?? 1); round++) await runOnce()

process.stdout.write('\n')
for (const { name, file } of failures) process.stdout.write(`failed: ${name} (${file})\n`)
for (const test of new Set(skipped)) process.stdout.write(`skipped: ${test}\n`)
const isCi = ['true', '1'].includes(process.env.CI ?? '')
if (isCi && skipped.length > 0)
  process.stdout.write('With CI set, a skipped test is a failure: install what is missing.\n')
if (passed === 0) process.stdout.write('No test ran.\n')
process.stdout.write(`${passed} passed, ${failures.length} failed, ${skipped.length} skipped\n`)
process.exit(failures.length > 0 || passed === 0 || (isCi && skipped.length > 0) ? 1 : 0)
