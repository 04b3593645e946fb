import { parseArgs } from 'node:util'
import { Soak } from './soak.ts'

// What `npm run soak` runs: clients of all kinds while the application and the workers come and go. It prints what became
// of the requests, and what was left of memory and descriptors.
//
//   npm run soak -- [--minutes N] [--seed S] [--workers-stay]

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string', default: '1' },
    'workers-stay': { type: 'boolean', default: false },
  },
})
const minutes = Number(values.minutes)
if (!(minutes > 0)) {
  process.stderr.write('--minutes takes how long to run\n')
  process.exit(2)
}

/** Two workers may have grown by so much since they were first idle, garbage included. */
const MAX_GROWTH_MIB = 64
const MAX_DESCRIPTORS_LEFT = 10

const ends: (() => unknown)[] = []
const soak = await Soak.start(
  { after: (end) => ends.push(end) },
  { seed: Number(values.seed), workersStay: values['workers-stay'] },
)
const figures = await soak.run(minutes * 60_000, (tally, mebibytes) => {
  process.stdout.write(`${mebibytes} MiB ${JSON.stringify(tally)}\n`)
})
for (const end of ends.reverse()) await end()

const { tally, faults, memory, descriptors, workersReplaced } = figures
process.stdout.write(`${faults.slice(0, 20).join('\n')}
requests: ${JSON.stringify(tally)}
memory of the workers in MiB: ${memory.before} idle before, ${memory.most} at the most, ${memory.after} idle after
descriptors of the workers: ${descriptors.before} before, ${descriptors.after} after
workers killed: ${workersReplaced}
`)
const isWell =
  tally.lost === 0 &&
  tally.wrong === 0 &&
  memory.after - memory.before < MAX_GROWTH_MIB &&
  descriptors.after - descriptors.before < MAX_DESCRIPTORS_LEFT
process.stdout.write(isWell ? 'nothing was lost or leaked\n' : 'something was lost or leaked\n')
process.exit(isWell ? 0 : 1)
