import {
  compressed,
  continuation,
  data,
  EH,
  ES,
  frame,
  get,
  headers,
  literals,
  PADDED,
  PRIORITY,
  ping,
  post,
  priority,
  rstStream,
  settings,
  windowUpdate,
} from '../http2/frames.ts'
import { pick } from '../http2/hpack/dice.ts'
import { type Dice, mutated } from './messages.ts'

const NAMES = [
  'x',
  'cookie',
  'content-length',
  'te',
  'host',
  'expect',
  'X',
  'x-forwarded-for',
  'connection',
  ':path',
  'priority',
]
const VALUES = ['1', '5', 'trailers', 'a.test', '100-continue', '', 'a\r\nb', ' x', 'u=1, i', '/']

function fields(random: Dice): string[] {
  return Array.from({ length: Math.floor(random() * 4) }, () => [pick(random, NAMES), pick(random, VALUES)]).flat()
}

function anyFrame(random: Dice, streamId: number): Buffer {
  const content = Buffer.alloc(Math.floor(random() ** 3 * 20_000), 'content ')
  const flags = pick(random, [0, ES, EH, EH | ES, PADDED, PADDED | ES, PRIORITY | EH, 0xff])
  const plain = [':method', 'POST', ':scheme', 'https', ':path', '/x', ':authority', 'a.test']
  const block = compressed(...plain, 'x', 'y'.repeat(30))
  return pick(random, [
    () => get(streamId, ...fields(random)),
    () => post(streamId, ...fields(random)),
    () => data(streamId, content, pick(random, [0, ES])),
    () => frame(0, PADDED | ES, streamId, Buffer.concat([Buffer.from([3]), content, Buffer.alloc(3)])),
    () => headers(streamId, literals(...fields(random)), EH | ES),
    () => Buffer.concat([headers(streamId, block.subarray(0, 7), ES), continuation(streamId, block.subarray(7))]),
    () => pick(random, [ping(), settings([4, 1000]), settings([1, 0]), priority(streamId), windowUpdate(0, 1000)]),
    () => rstStream(streamId, 8),
    () => windowUpdate(streamId, Math.floor(random() * 100_000)),
    () => frame(Math.floor(random() * 14), flags, streamId, content.subarray(0, 40)),
  ])()
}

/** Frames of a client, most of them in order, and at times with an octet changed, missing or too many. */
export function anyFrames(random: Dice): string {
  let streamId = 1
  const frames = Array.from({ length: 1 + Math.floor(random() * 12) }, () => {
    if (random() < 0.4) streamId += 2
    return anyFrame(random, random() < 0.9 ? streamId : Math.floor(random() * 9))
  })
  const bytes = Buffer.concat(frames).toString('latin1')
  return random() < 0.3 ? mutated(random, bytes) : bytes
}
