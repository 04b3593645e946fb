import { globSync } from 'node:fs'
import { join, relative } from 'node:path'
import { run } from 'node:test'
import { inspect, parseArgs } from 'node:util'

// What `npm run test:all` runs. It adds to node:test what CI needs: skipped tests are named and counted, and with CI=true
// they are a failure, for a promise that nobody checked is none; and it ends, whatever a test leaves behind.
//
//   node test/run.ts [PART OF A PATH …] [--repeat N]

const { values, positionals } = parseArgs({
  options: { repeat: { type: 'string', default: '1' } },
  allowPositionals: true,
})
const rounds = Number(values.repeat)
if (!Number.isInteger(rounds) || rounds < 1) {
  process.stderr.write(`--repeat takes how often to run, from 1 up, not "${values.repeat}"\n`)
  process.exit(2)
}

const ROOT = join(import.meta.dirname, '..')
const files = globSync('test/**/*.test.ts', { cwd: ROOT })
  .filter((file) => positionals.length === 0 || positionals.some((part) => file.includes(part)))
  .map((file) => join(ROOT, file))
  .sort()

const TEST_TIMEOUT_MS = 120_000
/** Every running test ends within its timeout, so a longer silence is a file that cannot end. Rest: loading and hooks. */
const SILENCE_LIMIT_MS = TEST_TIMEOUT_MS + 30_000
const CONCURRENCY = 2

type Place = { readonly file?: string | undefined; readonly line?: number | undefined }

const passed: string[] = []
const failed: string[] = []
const skipped = new Set<string>()
const stuck = new AbortController()

function at(name: string, { file, line }: Place): string {
  const path = relative(ROOT, file ?? '')
  return name === file ? path : `${path}:${line} ${name}`
}

function fail(test: string, error: unknown): void {
  failed.push(test)
  const text = error instanceof Error ? inspect(error, { depth: 5 }) : String(error)
  process.stdout.write(`\n✖ ${test}\n${text.replace(/^(?=.)/gm, '    ')}\n`)
}

/** An event that bears its file's name is about the file as a whole, and comes only when its tests do not tell all. */
async function runOnce(): Promise<void> {
  const events = run({ files, concurrency: CONCURRENCY, timeout: TEST_TIMEOUT_MS, signal: stuck.signal })
  const silence = setTimeout(() => stuck.abort(), SILENCE_LIMIT_MS)
  events.on('test:pass', ({ name, file, line, skip, todo, details }) => {
    const reason = skip ?? todo
    const test = at(name, { file, line })
    if (name === file) fail(test, 'It reported no test: it has none, or it exited before they were over.')
    else if (reason !== undefined) skipped.add(`${test}: ${reason === true ? 'gives no reason' : reason}`)
    else if (details.type !== 'suite') passed.push(test)
  })
  events.on('test:fail', ({ name, file, line, details: { error } }) => {
    // @ts-expect-error @types/node leaves out failureType, which is documented with node:test's `test:fail`.
    const kind: string = error.failureType
    if (kind === 'subtestsFailed') return
    if (kind === 'testAborted')
      return fail(at(name, { file, line }), 'It did not end: what it started is still running.')
    fail(at(name, { file, line }), error.cause instanceof Error ? error.cause : error)
  })
  events.on('test:stderr', ({ message }) => process.stdout.write(message))
  events.on('test:diagnostic', ({ message, file }) => {
    // Errors after a test's end come so; without a file it is node:test's own count.
    if (file !== undefined) process.stdout.write(`\n${relative(ROOT, file)}: ${message}\n`)
  })
  events.on('test:complete', () => {
    silence.refresh()
    process.stdout.write('.')
  })
  for await (const _ of events);
  clearTimeout(silence)
}

for (let round = 0; round < rounds && !stuck.signal.aborted; round++) await runOnce()

process.stdout.write('\n')
for (const test of failed) process.stdout.write(`failed: ${test}\n`)
for (const test of skipped) process.stdout.write(`skipped: ${test}\n`)
const isSkipFailure = ['true', '1'].includes(process.env.CI ?? '') && skipped.size > 0
if (isSkipFailure) process.stdout.write('With CI set, a skipped test is a failure: install what is missing.\n')
const hasRun = passed.length + failed.length > 0
if (!hasRun) process.stdout.write(files.length === 0 ? 'No test file has such a path.\n' : 'No test ran.\n')
process.stdout.write(`${passed.length} passed, ${failed.length} failed, ${skipped.size} skipped\n`)
process.exit(failed.length > 0 || !hasRun || isSkipFailure ? 1 : 0)
