import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DEFAULT_PRIORITY, parsePriority } from '../../../src/edge/http2/priority.ts'
import { type ClientScript, connectedClient, type Served } from './client-script.ts'
import { get, priorityUpdate, windowUpdate } from './frames.ts'

// RFC 9218: the order in which responses are sent.

const INITIAL = 4

test('a Priority is a Dictionary of u and i (§4)', () => {
  const valid: [string, number, boolean][] = [
    ['u=0', 0, false],
    ['u=7, i', 7, true],
    ['i', 3, true],
    ['i=?1,u=5', 5, true],
    ['u=1,i=?0', 1, false],
    ['  u=2 ,\ti ', 2, true],
    ['u=1;x=y, i;foo', 1, true],
    ['x="a b", u=6', 6, false],
    ['u=1, u=2', 2, false],
  ]
  for (const [text, urgency, isIncremental] of valid)
    assert.deepEqual(parsePriority(text), { urgency, isIncremental }, text)
})

test('what is out of range or no Dictionary is ignored (§4)', () => {
  for (const text of [
    '',
    'u=8',
    'u=-1',
    'u=1.5',
    'u=?1',
    'i=1',
    'i="?1"',
    'u',
    '=',
    'U=1',
    'u=1 i',
    'u=1,,i',
    '?',
    'u=0, é',
  ])
    assert.deepEqual(parsePriority(text), DEFAULT_PRIORITY, text)
})

const serve = ({ exchange }: Served): void => {
  exchange.respond({ status: 200, fields: [] }, 40_000)
  exchange.write(Buffer.alloc(40_000))
  exchange.end()
}

/** Requests whose responses wait for the connection's window, which the first two have used up. */
async function waiting(...requests: Buffer[]): Promise<ClientScript> {
  const client = await connectedClient({ serve }, [INITIAL, 1_000_000])
  await client.send(get(1), get(3))
  await client.send(...requests)
  return client
}

/** The streams whose DATA comes, each once in a row. */
function order(lines: readonly string[]): number[] {
  const streams = lines.filter((line) => line.startsWith('DATA')).map((line) => Number(line.split(' ')[1]))
  return streams.filter((streamId, at) => streamId !== streams[at - 1])
}

test('the urgent come first, then the older (§10)', async () => {
  const client = await waiting(get(5, 'priority', 'u=5'), get(7), get(9, 'priority', 'u=0'), get(11, 'priority', 'u=5'))
  assert.deepEqual(order(await client.send(windowUpdate(0, 1_000_000))), [9, 3, 7, 5, 11])
})

test('incremental responses share, behind those that are of use only when whole (§10)', async () => {
  const client = await waiting(get(5, 'priority', 'i'), get(7, 'priority', 'i'), get(9))
  assert.deepEqual(order(await client.send(windowUpdate(0, 1_000_000))), [3, 9, 5, 7, 5, 7, 5, 7])
})

test('PRIORITY_UPDATE changes the order, for open streams and for those to come (§7.1)', async () => {
  const client = await waiting(
    priorityUpdate(9, 'u=0'),
    get(5),
    get(7),
    get(9, 'priority', 'u=7'),
    priorityUpdate(7, 'u=1'),
  )
  assert.deepEqual(order(await client.send(windowUpdate(0, 1_000_000))), [9, 7, 3, 5])
})

test('PRIORITY_UPDATE for a stream that is gone is ignored (§7.1)', async () => {
  const client = await connectedClient({ serve })
  await client.send(get(3))
  assert.deepEqual(await client.send(priorityUpdate(1, 'u=0'), priorityUpdate(3, 'u=0')), [])
})

test('a stream whose own window is empty keeps nobody waiting', async () => {
  const client = await connectedClient({ serve }, [INITIAL, 0])
  await client.send(get(1, 'priority', 'u=0'), get(3, 'priority', 'u=7'))
  assert.deepEqual(order(await client.send(windowUpdate(3, 50_000))), [3])
  assert.deepEqual(order(await client.send(windowUpdate(1, 50_000))), [1])
})
