import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import { test } from 'node:test'
import { createLineWriter, linesLost } from '../../src/telemetry/standard-output.ts'

/** A reader who takes what has been written only when told to. */
function slowReader() {
  const lines: string[] = []
  let take = (): void => {}
  const stream = new Writable({
    write(line, _encoding, done) {
      lines.push(String(line))
      take = done
    },
  })
  const takeAll = async (): Promise<void> => {
    while (stream.writableLength > 0) {
      take()
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  return { stream, lines, takeAll }
}

test('lines for a reader who has stopped reading are bounded, and those that were lost are counted', async () => {
  const { stream, lines, takeAll } = slowReader()
  const write = createLineWriter(stream, (lost) => write(`lost ${lost}`))
  const line = 'x'.repeat(64 * 1024)
  for (let sent = 0; sent < 1000; sent++) write(line)
  assert.ok(stream.writableLength <= 5 * 1024 * 1024, String(stream.writableLength))
  await takeAll()
  const kept = lines.length
  assert.ok(kept >= 60)
  write('again')
  await takeAll()
  assert.deepEqual(lines.slice(kept), [`lost ${1000 - kept}`, 'again'])
})

test('nothing is lost, or said to be, while the reader keeps up', async () => {
  const { stream, lines, takeAll } = slowReader()
  const write = createLineWriter(stream, () => assert.fail('told of a loss'))
  for (let sent = 0; sent < 200; sent++) {
    write('x'.repeat(64 * 1024))
    await takeAll()
  }
  assert.equal(lines.length, 200)
})

test('a loss is told with its number', () => {
  assert.match(linesLost(7)[1], /^7 lines .* lost/)
})
