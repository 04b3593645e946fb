import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { after, test } from 'node:test'
import { data, EH, ES, frame, goaway, headers, literals, rstStream } from '../http2/frames.ts'
import { siteOf } from '../serve.ts'
import { askHttp2, connectHttp2 } from './http2-client.ts'
import { runEdge, statusesIn, WAYS } from './running-edge.ts'
import { type FrameScript, head, ScriptedHttp2Origin } from './scripted-http2-origin.ts'

// An upstream of HTTP/2 that answers with frames that are wrong, early, late or too many, through a running edge to clients
// of HTTP/1.1 and HTTP/2. A client is told 502, or can tell that what it got is not whole; and nobody else gets any of it.

const origin = await new ScriptedHttp2Origin().listen({ after })
const edge = await runEdge({ after }, [siteOf(origin.address)])
const session = await connectHttp2({ after }, edge)

const NO_ERROR = 0
const INTERNAL_ERROR = 2

const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n`

/** The upstream is of use to the next client, who gets the right answer. */
async function assertUnspoilt(): Promise<void> {
  for (let count = 0; count < 3; count++) assert.match(await edge.tell('http', get('/ok')), /\r\n\r\nok$/)
}

let scripts = 0
function scripted(script: FrameScript): string {
  const target = `/${++scripts}`
  origin.on(target, script)
  return target
}

type Frames = (streamId: number) => Buffer[]

/** Says these frames, and then nothing more on this stream. */
const says =
  (frames: Frames): FrameScript =>
  (socket, streamId) =>
    socket.write(Buffer.concat(frames(streamId)))

/** Says these frames and closes, by an end or by a reset. */
const leaves =
  (frames: Frames, how: 'end' | 'reset'): FrameScript =>
  (socket, streamId) => {
    socket.write(Buffer.concat(frames(streamId)), () => {
      if (how === 'end') socket.end()
      // What was said should arrive before the reset does.
      else setTimeout(() => socket.resetAndDestroy(), 20)
    })
  }

const part = (id: number): Buffer[] => [head(id), data(id, 'part')]

test('an upstream that dribbles is waited for, byte by byte', async () => {
  const target = scripted((socket: Socket, id) => {
    const trailers = headers(id, literals('x-sum', '1'), EH | ES)
    const bytes = Buffer.concat([head(id, 'x', 'y'), data(id, 'o'), data(id, 'k'), data(id, ''), trailers])
    let at = 0
    const next = (): void => {
      if (at < bytes.length) socket.write(bytes.subarray(at, ++at), () => setImmediate(next))
    }
    next()
  })
  for (const way of WAYS)
    assert.match(await edge.tell(way, get(target)), /^HTTP\/1\.1 200 [\s\S]*\r\n1\r\no\r\n1\r\nk\r\n0\r\n/)
  const told = await askHttp2(session, { ':path': target })
  assert.deepEqual([told.status, told.content, told.trailers['x-sum'], told.code], [200, 'ok', '1', NO_ERROR])
})

for (const [name, script] of [
  ['closes its connection', leaves(() => [], 'end')],
  ['resets its connection', leaves(() => [], 'reset')],
  ['closes within a field section', leaves((id) => [headers(id, literals(':status', '200'), 0)], 'end')],
  ['closes after an informational response', leaves((id) => [informs(id)], 'end')],
  ['resets the stream', says((id) => [rstStream(id, INTERNAL_ERROR)])],
  ['resets the stream without a fault', says((id) => [rstStream(id, NO_ERROR)])],
  ['ends the stream after an informational response', says((id) => [informs(id), data(id, '', ES)])],
  ['goes away and closes', leaves((id) => [goaway(id, INTERNAL_ERROR)], 'end')],
  ['sends content ahead of its response', says((id) => [data(id, 'poison', ES)])],
  ['has no status', says((id) => [headers(id, literals('x', 'y'), EH | ES)])],
  ['says that it speaks HTTP/1.1', (socket) => socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n')],
] satisfies [string, FrameScript][])
  test(`an upstream that ${name} is a 502`, async () => {
    const target = scripted(script)
    for (const way of WAYS) {
      const answer = await edge.tell(way, get(target))
      assert.equal(statusesIn(answer).at(-1), 502, answer)
      assert.doesNotMatch(answer, /poison/)
    }
    assert.equal((await askHttp2(session, { ':path': target })).status, 502)
    await assertUnspoilt()
  })

function informs(id: number): Buffer {
  return headers(id, literals(':status', '103'))
}

for (const [name, script] of [
  ['breaks off by a close', leaves(part, 'end')],
  ['breaks off by a reset', leaves(part, 'reset')],
  ['breaks off within a frame', leaves((id) => [...part(id), data(id, 'part').subarray(0, 11)], 'end')],
  ['is reset', says((id) => [...part(id), rstStream(id, INTERNAL_ERROR)])],
  ['is reset without a fault', says((id) => [...part(id), rstStream(id, NO_ERROR)])],
  ['is left after GOAWAY', leaves((id) => [...part(id), goaway(id, NO_ERROR)], 'end')],
  ['is shorter than its length', says((id) => [head(id, 'content-length', '100'), data(id, 'part', ES)])],
  ['has trailers with a status', says((id) => [...part(id), headers(id, literals(':status', '200'), EH | ES)])],
  ['has another response within it', says((id) => [...part(id), head(id), data(id, 'poison', ES)])],
  ['has a frame that is none', says((id) => [...part(id), frame(3, 0, id, 'x')])],
] satisfies [string, FrameScript][])
  test(`a client can tell that a response is not whole which ${name} (RFC 9113 §8.1)`, async () => {
    const target = scripted(script)
    for (const way of WAYS) {
      const answer = await edge.tell(way, get(target))
      assert.deepEqual(statusesIn(answer), [200], answer)
      assert.doesNotMatch(answer, /\r\n0\r\n|poison/)
    }
    const told = await askHttp2(session, { ':path': target })
    assert.equal(told.status, 200)
    assert.doesNotMatch(told.content, /poison/)
    assert.notEqual(told.code, NO_ERROR)
    await assertUnspoilt()
  })

for (const [name, frames] of [
  ['a second response', (id) => [...whole(id), head(id), data(id, 'poison', ES)]],
  ['more content', (id) => [...whole(id), data(id, 'poison')]],
  ['a reset', (id) => [...whole(id), rstStream(id, INTERNAL_ERROR)]],
  ['a response that nobody asked for', (id) => [...whole(id), head(id + 100), data(id + 100, 'poison', ES)]],
  ['an end of the connection', (id) => [...whole(id), goaway(id, NO_ERROR)]],
] satisfies [string, Frames][])
  test(`what follows a whole response answers nobody: ${name} (RFC 9113 §5.1)`, async () => {
    const target = scripted(says(frames))
    for (const way of WAYS) {
      const answer = await edge.tell(way, get(target))
      assert.deepEqual(statusesIn(answer), [200])
      assert.doesNotMatch(answer, /poison/)
      assert.match(answer, /\r\n\r\nok$/)
    }
    const told = await askHttp2(session, { ':path': target })
    assert.deepEqual([told.status, told.content, told.code], [200, 'ok', NO_ERROR])
    await assertUnspoilt()
  })

function whole(id: number): Buffer[] {
  return [head(id, 'content-length', '2'), data(id, 'ok', ES)]
}

for (const [name, isReset] of [
  ['and wants no more of it (RFC 9113 §8.1)', true],
  ['and says nothing of the rest', false],
] as const)
  test(`an upstream that answers before it has the request, ${name}`, async () => {
    const target = scripted((socket, id) => {
      const answer = [headers(id, literals(':status', '413', 'content-length', '2')), data(id, 'no', ES)]
      socket.write(Buffer.concat(isReset ? [...answer, rstStream(id, NO_ERROR)] : answer))
    })
    const piece = 'x'.repeat(50_000)
    for (const way of WAYS) {
      const request = `POST ${target} HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5000000\r\n\r\n`
      const answer = await edge.tell(way, request, ...Array.from({ length: 10 }, () => piece))
      assert.deepEqual(statusesIn(answer), [413])
      assert.match(answer, /no$/)
    }
    const told = await askHttp2(session, { ':path': target, ':method': 'POST' }, piece.repeat(100))
    assert.deepEqual([told.status, told.content], [413, 'no'])
    await assertUnspoilt()
  })

test('other requests on a connection go on while one of them is answered with nonsense', async () => {
  const release = Promise.withResolvers<() => void>()
  const slow = scripted((socket, id) => {
    socket.write(Buffer.concat([head(id), data(id, 'part ')]))
    release.resolve(() => socket.write(data(id, 'rest', ES)))
  })
  const wrong = scripted(says((id) => [headers(id, literals(':status', 'x'), EH | ES)]))
  const answer = edge.tell('http', get(slow))
  const finish = await release.promise
  assert.deepEqual(statusesIn(await edge.tell('http', get(wrong))), [502])
  assert.equal((await askHttp2(session, { ':path': wrong })).status, 502)
  finish()
  assert.match(await answer, /part [\s\S]*rest\r\n0\r\n\r\n$/)
})
