import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createTcpServer, type Server } from 'node:net'
import { type TestContext, test } from 'node:test'
import { createServer as createTlsServer } from 'node:tls'
import type { ChallengeAnswer, ChallengePublisher } from '../../src/challenges/challenge.ts'
import { createKnocking } from '../../src/preflight/knocking.ts'
import { type ProbeAnswer, probe } from '../../src/preflight/probe.ts'
import { systemClock } from '../../src/system/clock.ts'
import { FakeClock } from '../fakes/fake-clock.ts'

const forever = new AbortController().signal

/** Keeps what is published, for a frontend of the test to show. */
class Board implements ChallengePublisher {
  current: ChallengeAnswer | undefined
  async publish(answer: ChallengeAnswer): Promise<void> {
    this.current = answer
  }
  async withdraw(answer: ChallengeAnswer): Promise<void> {
    assert.equal(answer, this.current)
    this.current = undefined
  }
}

async function listening(t: TestContext, server: Server): Promise<number> {
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.after(() => server.close())
  return (server.address() as { port: number }).port
}

async function knock(t: TestContext, board: Board, answer: RequestListener): Promise<ProbeAnswer> {
  const port = await listening(t, createServer(answer))
  const knocking = createKnocking({ 'http-01': port, 'tls-alpn-01': port })
  const subject = { name: 'a.test', addresses: ['127.0.0.1'], challenge: 'http-01' } as const
  const options = { publisher: board, knocking, clock: systemClock, randomBytes }
  const [met] = await probe(subject, options, forever)
  assert.equal(board.current, undefined, 'it is taken away again')
  return met!
}

test('port 80 that gives the published answer for the name is ours', async (t) => {
  const board = new Board()
  const met = await knock(t, board, ({ url, headers }, response) => {
    const { current } = board
    assert.ok(current?.type === 'http-01')
    assert.equal(url, `/.well-known/acme-challenge/${current.token}`)
    assert.equal(headers.host, 'a.test')
    response.end(current.keyAuthorization)
  })
  assert.deepEqual(met, { address: '127.0.0.1', challenge: 'http-01', outcome: 'ours', seen: 'is this program' })
})

for (const [what, answer, outcome, seen] of [
  [
    'a stranger’s 404',
    (_, response) => response.writeHead(404, { Server: 'nginx' }).end(),
    'other',
    'answers 404 (nginx), and is not this program',
  ],
  ['a page for everything', (_, response) => response.end('welcome'), 'other', 'answers 200, and is not this program'],
  [
    'an endless page',
    (_, response) => {
      const more = (): void => {
        while (!response.destroyed && response.write('x'.repeat(1024)));
        response.once('drain', more)
      }
      more()
    },
    'other',
    'answers 200, and is not this program',
  ],
  [
    'a redirect',
    (_, response) => response.writeHead(301, { Location: 'https://a.test/' }).end(),
    'elsewhere',
    'redirects to https://a.test/',
  ],
  ['a connection that breaks', (request) => request.socket.destroy(), 'silent', 'cannot be reached (ECONNRESET)'],
] as const satisfies readonly [string, RequestListener, ProbeAnswer['outcome'], string][])
  test(`port 80 with ${what} is ${outcome}`, async (t) => {
    assert.deepEqual(await knock(t, new Board(), answer), { address: '127.0.0.1', challenge: 'http-01', outcome, seen })
  })

test('port 443 that shows the published certificate is ours, and one that shows another or refuses is not', async (t) => {
  const board = new Board()
  let shows: 'ours' | 'old' | 'nothing' = 'ours'
  let old: Extract<ChallengeAnswer, { type: 'tls-alpn-01' }> | undefined
  const server = createTlsServer({
    ALPNProtocols: ['acme-tls/1'],
    SNICallback: (name, callback) => {
      const { current } = board
      assert.ok(current?.type === 'tls-alpn-01')
      assert.equal(name, 'a.test')
      const { certificate: cert, privateKey: key } = shows === 'old' ? old! : current
      old ??= current
      if (shows === 'nothing') callback(new Error('unknown'))
      else import('node:tls').then(({ createSecureContext }) => callback(null, createSecureContext({ cert, key })))
    },
  })
  server.on('tlsClientError', () => {})
  const port = await listening(t, server)
  const knocking = createKnocking({ 'http-01': port, 'tls-alpn-01': port })
  const ask = async (): Promise<string> => {
    const subject = { name: 'a.test', addresses: ['127.0.0.1'], challenge: 'tls-alpn-01' } as const
    const options = { publisher: board, knocking, clock: systemClock, randomBytes }
    return (await probe(subject, options, forever))[0]!.outcome
  }
  assert.equal(await ask(), 'ours')
  shows = 'old'
  assert.equal(await ask(), 'other')
  shows = 'nothing'
  assert.notEqual(await ask(), 'ours')
})

test('a server that speaks no TLS on port 443 is another', async (t) => {
  const port = await listening(
    t,
    createTcpServer((socket) => {
      socket.on('error', () => {})
      socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')
    }),
  )
  const knocking = createKnocking({ 'http-01': port, 'tls-alpn-01': port })
  const subject = { name: 'a.test', addresses: ['127.0.0.1'], challenge: 'tls-alpn-01' } as const
  const [met] = await probe(subject, { publisher: new Board(), knocking, clock: systemClock, randomBytes }, forever)
  assert.equal(met?.outcome, 'other')
  assert.match(met.seen, /^refuses the challenge's handshake/)
})

test('who is silent is given up, and so is more than a few addresses', async () => {
  const clock = new FakeClock()
  const board = new Board()
  const silent = (_: string, __: ChallengeAnswer, signal: AbortSignal) =>
    new Promise<never>((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  const addresses = Array.from({ length: 20 }, (_, index) => `192.0.2.${index}`)
  const knocking = { 'http-01': silent, 'tls-alpn-01': silent }
  const subject = { name: 'a.test', addresses, challenge: 'http-01' } as const
  const probing = probe(subject, { publisher: board, knocking, clock, randomBytes }, forever)
  await clock.advance(4_000)
  const met = await probing
  assert.equal(met.length, 6)
  assert.deepEqual(new Set(met.map(({ seen }) => seen)), new Set(['does not answer within 4 seconds']))
  assert.equal(board.current, undefined)
})

test('a probe that is called off ends with that reason, and leaves no answer behind', async () => {
  const board = new Board()
  const stop = new AbortController()
  const silent = async (_: string, __: ChallengeAnswer, signal: AbortSignal) => {
    stop.abort(new Error('stop'))
    throw signal.reason
  }
  const knocking = { 'http-01': silent, 'tls-alpn-01': silent }
  const subject = { name: 'a.test', addresses: ['192.0.2.1'], challenge: 'http-01' } as const
  const options = { publisher: board, knocking, clock: new FakeClock(), randomBytes }
  await assert.rejects(probe(subject, options, stop.signal), /stop/)
  assert.equal(board.current, undefined)
})
