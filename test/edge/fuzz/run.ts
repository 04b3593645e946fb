import { parseArgs } from 'node:util'
import { keep } from './corpus.ts'
import { ForwardingFuzz } from './forwarding.ts'
import { Http2ForwardingFuzz } from './http2-forwarding.ts'
import { Failure, fuzzSegmentation } from './segmentation.ts'

// What `npm run fuzz` runs: cases by their numbers, from the seed on, until the time is over. Those that fail are kept in
// the corpus, which `npm test` goes through.
//
//   npm run fuzz -- [--seconds N] [--seed S]

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '60' }, seed: { type: 'string', default: '1' } },
})
const seconds = Number(values.seconds)
const firstSeed = Number(values.seed)
if (!(seconds > 0) || !Number.isSafeInteger(firstSeed)) {
  process.stderr.write('--seconds takes how long to run, --seed a whole number to begin with\n')
  process.exit(2)
}

const ends: (() => unknown)[] = []
const scope = { after: (end: () => unknown) => ends.push(end) }
const http1 = await ForwardingFuzz.start(scope)
const http2 = await Http2ForwardingFuzz.start(scope)
const tries: Readonly<Record<string, (seed: number) => Promise<unknown>>> = {
  'the same at any cut': fuzzSegmentation,
  'forwarded from HTTP/1.1': (seed) => http1.fuzz(seed),
  'forwarded from HTTP/2': (seed) => http2.fuzz(seed),
}

const until = performance.now() + seconds * 1000
let seed = firstSeed
let failures = 0
for (; performance.now() < until; seed++)
  for (const attempt of Object.values(tries))
    await attempt(seed).catch((error: unknown) => {
      if (!(error instanceof Failure)) throw error
      failures++
      process.stdout.write(`${error.message}\n  kept in ${keep(error, seed)}\n`)
    })

const cases = (seed - firstSeed) * Object.keys(tries).length
process.stdout.write(`${cases} cases from seed ${firstSeed} on, ${failures} failed\n`)
for (const end of ends) await end()
process.exit(failures > 0 ? 1 : 0)
