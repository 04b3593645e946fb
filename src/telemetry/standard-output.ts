import type { Writable } from 'node:stream'

/**
 * Whoever reads the output may go away (a pipe to a program that ends), and serving goes on without it. There is no other
 * place in which to say so.
 */
export function outliveReaders(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
}

/** Lines that wait for a reader who is behind. Beyond this, some seconds of a busy log, memory matters more than the log. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024

/**
 * Writes lines to a stream without ever waiting for its reader. If that falls behind too far, lines are lost until it has
 * caught up with half; `onLost` is then told how many, and may write about it.
 */
export function createLineWriter(
  stream: Pick<Writable, 'write' | 'writableLength'>,
  onLost: (lines: number) => void,
): (line: string) => void {
  let lost = 0
  return (line) => {
    if (stream.writableLength > (lost > 0 ? MAX_WAITING_BYTES / 2 : MAX_WAITING_BYTES)) {
      lost++
      return
    }
    if (lost > 0) {
      const lines = lost
      lost = 0
      onLost(lines)
    }
    stream.write(line)
  }
}

/** The event and the sentence for lines that were lost. */
export function linesLost(lines: number): [event: string, message: string] {
  return ['log-lines-lost', `${lines} lines of this log were lost, as whoever reads it was too slow.`]
}
