import { parseArgs } from 'node:util'
import { describe, flood } from './name-flood.ts'

// What `npm run name-flood` runs: clients that come for names that somebody has invented, each for another.
//
//   npm run name-flood -- [--names N] [--addresses N] [--at-once N]

const { values } = parseArgs({
  options: {
    names: { type: 'string', default: '1000000' },
    addresses: { type: 'string', default: '50000' },
    'at-once': { type: 'string', default: '64' },
  },
})
const [names, addresses, atOnce] = [values.names, values.addresses, values['at-once']].map(Number)
if (![names, addresses, atOnce].every((count) => Number.isInteger(count) && count! > 0) || addresses! > 2_000_000) {
  process.stderr.write('--names, --addresses (up to 2000000) and --at-once take whole numbers from 1 up\n')
  process.exit(2)
}

/** What memory may grow by after the first tenth of the names. */
const MAX_GROWTH_BYTES = 100e6

const ends: (() => unknown)[] = []
const options = { names: names!, addresses: addresses!, atOnce: atOnce! }
const result = await flood({ after: (end) => ends.push(end) }, options)
for (const end of ends.reverse()) await end()
process.stdout.write(`${describe(options, result)}\n`)
const hasCost = result.calls > 0 || result.orders > 0
process.exit(hasCost || result.mostMemory - result.earlyMemory > MAX_GROWTH_BYTES ? 1 : 0)
