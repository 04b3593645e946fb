import { createHash } from 'node:crypto'
import { openFileStorage } from '../../src/storage/file.ts'
import { systemClock } from '../../src/system/clock.ts'
import { RecordingLog } from '../fakes/recording-log.ts'

// Run by the crash test: puts values that carry their own checksum until it is killed.

const storage = await openFileStorage({ folder: process.argv[2]!, clock: systemClock, log: new RecordingLog() })
for (let round = 0; ; round++) {
  const body = Buffer.alloc(1 + ((round * 7919) % 200_000), String(round))
  const sum = createHash('sha256').update(body).digest('hex')
  await storage.put(`values/${round % 5}`, Buffer.concat([Buffer.from(sum), body]))
  if (round === 0) process.stdout.write('writing\n')
}
