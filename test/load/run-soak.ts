import { parseArgs } from 'node:util'
import { Soak, WORKER_TROUBLES } from './soak.ts'

// What `npm run soak` runs: clients of all kinds while the application and the workers come and go. It prints what became
// of the requests, and what was left of memory and descriptors.
//
//   npm run soak -- [--minutes N] [--seed S] [--workers killed|drained|both|stay] [--app-stays]

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string', default: '1' },
    workers: { type: 'string', default: 'killed' },
    'app-stays': { type: 'boolean', default: false },
  },
})
const minutes = Number(values.minutes)
if (!(minutes > 0)) {
  process.stderr.write('--minutes takes how long to run\n')
  process.exit(2)
}

const workers = WORKER_TROUBLES.find((trouble) => trouble === values.workers)
if (workers === undefined) {
  process.stderr.write(`--workers takes one of ${WORKER_TROUBLES.join(', ')}\n`)
  process.exit(2)
}

/** Two workers may have grown by so much in the second half of the time, garbage included: until then heaps take their size. */
const MAX_GROWTH_MIB = 48
const MAX_DESCRIPTORS_LEFT = 10

const ends: (() => unknown)[] = []
const soak = await Soak.start(
  { after: (end) => ends.push(end) },
  { seed: Number(values.seed), workers, appStays: values['app-stays'] },
)
const figures = await soak.run(minutes * 60_000, (tally, mebibytes) => {
  process.stdout.write(`${mebibytes} MiB ${JSON.stringify(tally)}\n`)
})
for (const end of ends.reverse()) await end()

const { tally, faults, idle, mostMebibytes, replaced } = figures
const [before, ...since] = idle.map(({ mebibytes }) => mebibytes)
const descriptors = idle.map((each) => each.descriptors)
process.stdout.write(`${faults.slice(0, 20).join('\n')}
requests: ${JSON.stringify(tally)}
memory of the workers in MiB: ${before} idle before, ${mostMebibytes} at the most, ${since.join(', ')} idle since
descriptors of the workers: ${descriptors[0]} before, ${descriptors.slice(1).join(', ')} since
workers killed: ${replaced.killed}, drained: ${replaced.drained}
`)
/** Nobody died: whatever was broken off or refused with 502 was so by us. A kept connection may close as one asks on it. */
const isSpared = values['app-stays'] && (workers === 'drained' || workers === 'stay')
/** Only of workers that stay does memory tell anything: of others it is their age that it tells. */
const isWell =
  tally.lost === 0 &&
  tally.wrong === 0 &&
  (!isSpared || tally.brokenOff + tally.toldFailed === 0) &&
  (workers !== 'stay' || since.at(-1)! - since[since.length / 2 - 1]! < MAX_GROWTH_MIB) &&
  descriptors.at(-1)! - descriptors[0]! < MAX_DESCRIPTORS_LEFT
process.stdout.write(isWell ? 'nothing was lost or leaked\n' : 'something was lost or leaked\n')
process.exit(isWell ? 0 : 1)
