import { bytewise, everySplit } from '../client-hello/every-split.ts'

/** Text as the bytes that carry it, each character a byte. */
export function latin1(text: string): Buffer {
  return Buffer.from(text, 'latin1')
}

/** The bytes whole, cut in two at every place, and each by itself. */
export function* everyCut(text: string): Generator<readonly Buffer[]> {
  const bytes = latin1(text)
  yield [bytes]
  yield* everySplit(bytes)
  yield bytewise(bytes)
}
