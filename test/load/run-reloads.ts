import { parseArgs } from 'node:util'
import { ReloadsUnderLoad } from './reloads.ts'

// What `npm run reloads` runs: reloads and takeovers while clients of all kinds are at it, of whom none may notice.
//
//   npm run reloads -- [--reloads N] [--takeovers N]

const { values } = parseArgs({
  options: { reloads: { type: 'string', default: '50' }, takeovers: { type: 'string', default: '5' } },
})
const [reloads, takeovers] = [Number(values.reloads), Number(values.takeovers)]
if (!(Number.isInteger(reloads) && Number.isInteger(takeovers) && reloads > 0 && takeovers >= 0)) {
  process.stderr.write('--reloads and --takeovers take how many\n')
  process.exit(2)
}

const ends: (() => unknown)[] = []
const underLoad = await ReloadsUnderLoad.start({ after: (end) => ends.push(end) })
const figures = await underLoad.run({ reloads, takeovers }, (said) => process.stdout.write(`${said}\n`))
for (const end of ends.reverse()) await end()

const { answered, failures, slowestReloadMs, slowestTakeoverMs } = figures
process.stdout.write(`${failures.slice(0, 20).join('\n')}
answered: ${JSON.stringify(answered)}
the slowest reload took ${Math.round(slowestReloadMs)} ms, the slowest takeover ${Math.round(slowestTakeoverMs)} ms
${failures.length === 0 ? 'nobody noticed' : `${failures.length} failed`}
`)
process.exit(failures.length === 0 ? 0 : 1)
