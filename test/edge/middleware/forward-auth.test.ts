import assert from 'node:assert/strict'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import { type AddressInfo, connect, createServer } from 'node:net'
import { type TestContext, test } from 'node:test'
import type { RouteSnapshot, UpstreamAddress } from '../../../src/edge/snapshot.ts'
import { Sweep } from '../../../src/edge/sweep.ts'
import type { ForwardAuth } from '../../../src/guards.ts'
import {
  exchangeBytes,
  plainGuards,
  plainPolicy,
  type Served,
  serve,
  siteOf,
  startUpstream,
  upstreamOf,
} from '../serve.ts'
import { settled } from '../tls/served.ts'

type Seen = { readonly method: string; readonly url: string; readonly fields: string[]; readonly body: string }
type Verify = (request: IncomingMessage, response: ServerResponse) => void

async function recordInto(seen: Seen[], request: IncomingMessage): Promise<void> {
  let body = ''
  for await (const piece of request) body += piece
  seen.push({ method: request.method!, url: request.url!, fields: request.rawHeaders, body })
}

function guardedBy(address: UpstreamAddress, overrides: Partial<ForwardAuth> = {}): ForwardAuth {
  const { timeouts, tls } = upstreamOf(address)
  assert.ok(address.scheme !== 'unix')
  const service = { address, timeouts, tls, proxyProtocol: undefined }
  return { type: 'forward', service, target: '/verify?x=y', copy: ['X-User', 'X-Groups'], ...overrides }
}

async function scene(
  t: TestContext,
  verify: Verify | UpstreamAddress,
  options: {
    protocol?: 'http/1.1' | 'h2'
    guard?: Partial<ForwardAuth>
    sweep?: Sweep
    trustedProxies?: string[]
  } = {},
) {
  const [asked, served]: [Seen[], Seen[]] = [[], []]
  const service =
    typeof verify === 'function'
      ? await startUpstream(async (request, response) => {
          await recordInto(asked, request)
          verify(request, response)
        })
      : { address: verify, close: async () => {} }
  const app = await startUpstream(async (request, response) => {
    await recordInto(served, request)
    response.end('app')
  })
  const auth = guardedBy(service.address, options.guard)
  const policy = { ...plainPolicy, guards: { ...plainGuards, auth } }
  const site = siteOf(app.address, { policy })
  const plain: RouteSnapshot = {
    path: '/open',
    methods: undefined,
    headers: [],
    action: site.action,
    stripPrefix: undefined,
    concurrency: undefined,
    policy: plainPolicy,
  }
  const stripping = { ...plain, path: '/pre/*', stripPrefix: '/pre', policy }
  const { guard: _, ...rest } = options
  const proxy = await serve([{ ...site, routes: [plain, stripping] }], rest)
  t.after(async () => {
    await proxy.close()
    await app.close()
    await service.close()
  })
  return { proxy, asked, served, service }
}

function valuesOf({ fields }: Seen, name: string): string[] {
  return fields.filter((_, at) => at % 2 === 1 && fields[at - 1]!.toLowerCase() === name)
}

async function ask({ port }: Served, head = 'GET / HTTP/1.1', fields = '', body = ''): Promise<string> {
  const length = body === '' ? '' : `Content-Length: ${body.length}\r\n`
  return exchangeBytes(port, `${head}\r\nHost: a.test\r\nConnection: close\r\n${length}${fields}\r\n${body}`)
}

test('the service is asked by GET about method, target and client, and the app gets the fields that are copied', async (t) => {
  const { proxy, asked, served } = await scene(t, (_, response) => {
    response.writeHead(204, { 'X-User': 'alice', 'x-groups': ['a', 'b'], 'X-Other': 'no', 'Set-Cookie': 'a=b' }).end()
  })
  const forged =
    'X-User: root\r\nx_user: root\r\nX-Forwarded-Method: GET\r\nX-Forwarded-Uri: /ok\r\nX-Forwarded-For: 10.0.0.1\r\n'
  const fields = `${forged}Cookie: c=1\r\nAuthorization: Bearer x\r\nIf-None-Match: "e"\r\nRange: bytes=0-1\r\nContent-Type: text/x\r\n`
  assert.match(await ask(proxy, 'POST /path?q=1 HTTP/1.1', fields, 'content'), /^HTTP\/1\.1 200 [\s\S]*app$/)
  const [question] = asked as [Seen]
  assert.deepEqual([question.method, question.url, question.body], ['GET', '/verify?x=y', ''])
  const told = [
    'x-forwarded-method',
    'x-forwarded-uri',
    'x-forwarded-host',
    'x-forwarded-proto',
    'x-forwarded-for',
    'cookie',
    'authorization',
  ]
  assert.deepEqual(
    told.map((name) => valuesOf(question, name).join()),
    ['POST', '/path?q=1', 'a.test', 'http', '192.0.2.1', 'c=1', 'Bearer x'],
  )
  assert.doesNotMatch(question.fields.join(), /root|If-None-Match|Range|Content-Type|Content-Length/)
  const [request] = served as [Seen]
  assert.deepEqual([request.method, request.body], ['POST', 'content'])
  assert.deepEqual([valuesOf(request, 'x-user'), valuesOf(request, 'x-groups')], [['alice'], ['a', 'b']])
  assert.deepEqual(valuesOf(request, 'if-none-match'), ['"e"'])
  assert.doesNotMatch(request.fields.join(), /root|X-Other|x_user/)
})

test('any other answer is the client’s, with its fields and content; the app hears of nothing', async (t) => {
  const { proxy, served } = await scene(t, (_, response) => {
    response.writeHead(302, {
      Location: '/login',
      'Set-Cookie': ['a=1', 'b=2'],
      'Keep-Alive': 'x',
      Connection: 'close',
    })
    response.end(Buffer.from([0xff, 0x00, 0x61]))
  })
  const answer = await ask(proxy)
  assert.match(answer, /^HTTP\/1\.1 302 [\s\S]*\r\nLocation: \/login\r\n/)
  assert.match(answer, /Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n/)
  assert.doesNotMatch(answer, /Keep-Alive/)
  assert.ok(answer.endsWith('\r\n\r\n\xff\0a'))
  assert.deepEqual([served.length, proxy.accesses[0]?.why, proxy.accesses[0]?.status], [0, 'auth-denied', 302])
})

test('a 401 names how to log in, and to HEAD there is no content', async (t) => {
  const { proxy } = await scene(t, (_, response) => {
    response.writeHead(401, { 'WWW-Authenticate': 'Bearer' }).end('log in')
  })
  const answer = await ask(proxy, 'HEAD / HTTP/1.1')
  assert.match(
    answer,
    /^HTTP\/1\.1 401 [\s\S]*WWW-Authenticate: Bearer\r\n[\s\S]*Content-Length: 6\r\n[\s\S]*\r\n\r\n$/,
  )
})

test('what a route takes off the path is part of what the service is asked about', async (t) => {
  const { proxy, asked, served } = await scene(t, (_, response) => response.end())
  await ask(proxy, 'GET /pre/a?b HTTP/1.1')
  assert.deepEqual([valuesOf(asked[0]!, 'x-forwarded-uri'), served[0]!.url], [['/pre/a?b'], '/a?b'])
})

test('on a route that asks nobody, nobody can pretend to have been asked', async (t) => {
  const { proxy, asked, served } = await scene(t, (_, response) => response.end())
  await ask(proxy, 'GET /open HTTP/1.1', 'x.user: root\r\nAuthorization: mine\r\n')
  assert.deepEqual([asked.length, valuesOf(served[0]!, 'authorization')], [0, ['mine']])
  assert.doesNotMatch(served[0]!.fields.join(), /root/)
})

test('a service that is not there lets nobody in', async (t) => {
  const { proxy, served } = await scene(t, { scheme: 'http', host: '127.0.0.1', port: 1 })
  assert.match(await ask(proxy), /^HTTP\/1\.1 502 /)
  assert.deepEqual([served.length, proxy.accesses[0]?.why], [0, 'auth-unreachable'])
  assert.equal(proxy.log.entries.length, 1)
})

test('one that closes without an answer, or says what is no HTTP, lets nobody in', async (t) => {
  for (const said of ['', 'nonsense\r\n\r\n', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx']) {
    const server = createServer((socket) => {
      socket.on('error', () => {})
      socket.once('data', () => socket.end(said))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    t.after(() => server.close())
    const address = { scheme: 'http', host: '127.0.0.1', port: (server.address() as AddressInfo).port } as const
    const { proxy, served } = await scene(t, address)
    assert.match(await ask(proxy), /^HTTP\/1\.1 502 /)
    assert.deepEqual([served.length, proxy.accesses[0]?.why], [0, 'auth-unreachable'])
  }
})

test('one that does not answer in time lets nobody in: 504', async (t) => {
  const time = { now: 0 }
  const sweep = new Sweep(() => time.now)
  const { proxy, asked, served } = await scene(t, () => {}, { sweep })
  const answer = ask(proxy)
  await settled(() => asked.length === 1, 5_000)
  time.now += 61_000
  sweep.run()
  assert.match(await answer, /^HTTP\/1\.1 504 /)
  assert.deepEqual([served.length, proxy.accesses[0]?.why], [0, 'auth-unreachable'])
})

test('an answer that is too large lets nobody in, announced or not', async (t) => {
  for (const length of [{ 'Content-Length': 300_000 }, {}]) {
    const { proxy, served } = await scene(t, (_, response) => {
      response.on('error', () => {})
      response.writeHead(403, length).end('x'.repeat(300_000))
    })
    assert.match(await ask(proxy), /^HTTP\/1\.1 502 /)
    assert.deepEqual([served.length, proxy.accesses[0]?.why], [0, 'auth-unreachable'])
  }
})

test('a client that leaves cancels the question', async (t) => {
  let hasClosed = false
  const { proxy, asked, served } = await scene(t, (request) => {
    request.socket.once('close', () => {
      hasClosed = true
    })
  })
  const socket = connect(proxy.port, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n'))
  await settled(() => asked.length === 1, 5_000)
  socket.resetAndDestroy()
  await settled(() => hasClosed && proxy.accesses.length === 1, 5_000)
  assert.deepEqual([served.length, proxy.accesses[0]?.status], [0, 0])
})

test('connections to the service are used again, and one that has died meanwhile is no failure', async (t) => {
  const sockets = new Set<unknown>()
  const { proxy, asked, service } = await scene(t, (request, response) => {
    sockets.add(request.socket)
    response.end('discarded')
  })
  assert.match(await ask(proxy), /^HTTP\/1\.1 200 /)
  assert.match(await ask(proxy), /^HTTP\/1\.1 200 /)
  assert.equal(sockets.size, 1)
  if ('server' in service) service.server.closeIdleConnections()
  assert.match(await ask(proxy), /^HTTP\/1\.1 200 /)
  assert.deepEqual([asked.length, sockets.size], [3, 2])
})

test('content is held back until the service has answered, and then arrives whole', async (t) => {
  const { promise: mayAnswer, resolve: answerNow } = Promise.withResolvers<void>()
  const { proxy, asked, served } = await scene(t, (_, response) => void mayAnswer.then(() => response.end()), {
    protocol: 'h2',
  })
  const session = connectHttp2(`http://127.0.0.1:${proxy.port}`)
  t.after(() => session.destroy())
  const stream = session.request({ ':method': 'POST', ':authority': 'a.test', ':path': '/' })
  stream.end('x'.repeat(1_000_000))
  await settled(() => asked.length === 1, 5_000)
  await new Promise((resolve) => setTimeout(resolve, 30))
  const sentBefore = 1_000_000 - stream.writableLength
  assert.ok(sentBefore < 200_000, `${sentBefore} bytes were taken`)
  answerNow()
  const headers = await new Promise<Record<string, unknown>>((resolve) => stream.once('response', resolve))
  assert.deepEqual([headers[':status'], served[0]!.body.length], [200, 1_000_000])
})
