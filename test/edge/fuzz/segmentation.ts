import assert from 'node:assert/strict'
import { REQUEST_LIMITS } from '../../../src/edge/http1/limits.ts'
import { latin1 } from '../http1/bytes.ts'
import { dice, pick } from '../http2/hpack/dice.ts'
import { anyFrames } from './frames.ts'
import { type Dice, request, response, segmented, stream } from './messages.ts'
import { readFrames, readRequests, readResponses } from './readings.ts'

/** Kinds of bytes, how to make them by chance, and what is made of them. */
export const KINDS = {
  requests: {
    make: (random: Dice) => stream(random, request),
    read: (pieces: readonly Buffer[]): unknown => readRequests(pieces),
  },
  'requests with narrow limits': {
    make: (random: Dice) => stream(random, request),
    read: (pieces: readonly Buffer[]): unknown => readRequests(pieces, NARROW),
  },
  responses: {
    make: (random: Dice) => stream(random, response),
    read: (pieces: readonly Buffer[]): unknown => [readResponses(pieces, 'GET'), readResponses(pieces, 'HEAD')],
  },
  frames: { make: anyFrames, read: readFrames },
} as const satisfies Record<
  string,
  { readonly make: (random: Dice) => string; readonly read: (pieces: readonly Buffer[]) => unknown }
>

export type Kind = keyof typeof KINDS

/** So that every limit is met, and met at every place. */
const NARROW = {
  ...REQUEST_LIMITS,
  startLineBytes: 24,
  fieldBytes: 90,
  fieldCount: 4,
  chunkLineBytes: 8,
  chunkExtensionBytes: 12,
  trailerBytes: 30,
  trailerCount: 2,
}

/** Throws if what is made of the bytes depends on how they are cut. */
export async function assertSameAtAnyCut(
  kind: Kind,
  bytes: string,
  random: Dice,
  cuts = 4,
  { read }: { readonly read: (pieces: readonly Buffer[]) => unknown } = KINDS[kind],
): Promise<void> {
  const buffer = latin1(bytes)
  const whole = await read([buffer])
  for (let cut = 0; cut < cuts; cut++) {
    const pieces = segmented(random, buffer)
    assert.deepEqual(await read(pieces), whole, `cut at ${pieces.map(({ length }) => length).join()}`)
  }
}

/** A case by its number: the same for the same seed. */
export async function fuzzSegmentation(seed: number): Promise<{ readonly kind: Kind; readonly bytes: string }> {
  const random = dice(seed)
  const kind = pick(random, Object.keys(KINDS) as Kind[])
  const bytes = KINDS[kind].make(random)
  await assertSameAtAnyCut(kind, bytes, random).catch((cause) => {
    throw new Failure(kind, bytes, seed, cause)
  })
  return { kind, bytes }
}

/** A case that failed, with all that the corpus keeps of it. */
export class Failure extends Error {
  readonly kind: string
  readonly bytes: string

  constructor(kind: string, bytes: string, seed: number, cause: unknown) {
    super(`${kind}, seed ${seed}: ${String(cause).slice(0, 3000)}`, { cause })
    this.kind = kind
    this.bytes = bytes
  }
}
