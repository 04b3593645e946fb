import { parseArgs } from 'node:util'
import { growthPerReader, READERS } from './slow-readers.ts'

// What `npm run slow-readers` runs: clients that stop reading a file of 100 MB, and what each costs a worker.
//
//   npm run slow-readers -- [--readers N] [--only PART_OF_KIND]

const { values } = parseArgs({
  options: { readers: { type: 'string', default: '1000' }, only: { type: 'string', default: '' } },
})
const readers = Number(values.readers)
if (!Number.isInteger(readers) || readers < 1) {
  process.stderr.write('--readers takes how many at once, from 1 up\n')
  process.exit(2)
}

let isTooMuch = false
for (const kind of Object.keys(READERS) as (keyof typeof READERS)[]) {
  if (!kind.includes(values.only)) continue
  const ends: (() => unknown)[] = []
  const growth = await growthPerReader({ after: (end) => ends.push(end) }, kind, readers)
  for (const end of ends.reverse()) await end()
  const kib = Math.round(growth / 1024)
  isTooMuch ||= kib > READERS[kind].maxKib
  process.stdout.write(`${kind}: ${kib} KiB for each of ${readers} readers, of ${READERS[kind].maxKib} KiB at most\n`)
}
process.exit(isTooMuch ? 1 : 0)
