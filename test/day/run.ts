import { parseArgs } from 'node:util'
import { liveThrough } from './day.ts'

// What `npm run day` runs: the program lives through a day with certificates of two hours, while clients come and look and
// the CA and its responder break down. It prints what became of it.
//
//   npm run day -- [--hours N] [--sites N]

const { values } = parseArgs({
  options: { hours: { type: 'string', default: '24' }, sites: { type: 'string', default: '2' } },
})
const [hours, sites] = [Number(values.hours), Number(values.sites)]
if (!(hours >= 6) || !(sites >= 1)) {
  process.stderr.write('--hours takes how long to run, from 6 up, and --sites how many there are, from 1 up\n')
  process.exit(2)
}
const figures = await liveThrough(
  hours,
  Array.from({ length: sites }, (_, index) => `s${index + 1}.test`),
)
process.stdout.write(`${JSON.stringify(figures, undefined, 2)}\n`)
process.exit(figures.troubles.length === 0 ? 0 : 1)
