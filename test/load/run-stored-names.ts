import { parseArgs } from 'node:util'
import { measureFirstUse, percentile } from './stored-names.ts'

// What `npm run stored-names` runs: the first clients of names on demand that are in the storage.
//
//   npm run stored-names -- [--stored N] [--asked N] [--at-once N] [--rounds N]

const { values } = parseArgs({
  options: {
    stored: { type: 'string', default: '100000' },
    asked: { type: 'string', default: '1000' },
    'at-once': { type: 'string', default: '1' },
    rounds: { type: 'string', default: '3' },
  },
})
const [stored, asked, atOnce, rounds] = [values.stored, values.asked, values['at-once'], values.rounds].map(Number)
if (![stored, asked, atOnce, rounds].every((count) => Number.isInteger(count) && count! > 0)) {
  process.stderr.write('--stored, --asked, --at-once and --rounds take whole numbers from 1 up\n')
  process.exit(2)
}

/** What 99 of 100 first clients should not wait longer than. */
const MOST_MS = 20

const ends: (() => unknown)[] = []
const options = { stored: stored!, asked: asked!, atOnce: atOnce!, rounds: rounds! }
const result = await measureFirstUse({ after: (end) => ends.push(end) }, options, ({ first, second, memory }) => {
  const show = (times: readonly number[]): string =>
    [0.5, 0.99, 1].map((part) => percentile(times, part).toFixed(1).padStart(6)).join(' ')
  const all = `first ${show(first)} ms, second ${show(second)} ms (median, 99 %, most)`
  process.stdout.write(`${asked} of ${stored} names: ${all}; ${Math.round(memory / 1e6)} MB\n`)
})
for (const end of ends.reverse()) await end()
process.stdout.write(`The CA was called ${result.calls} times.\n`)
const isTooSlow = result.rounds.some(({ first }) => percentile(first, 0.99) > MOST_MS)
process.exit(isTooSlow || result.calls > 0 ? 1 : 0)
