import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import https from 'node:https'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { after, before, test } from 'node:test'
import { createTransport } from '../../src/acme/transport.ts'
import { commonName } from '../../src/pki/certificate-signing.ts'
import { exportPrivateKey, generateKey } from '../../src/pki/keys.ts'
import { subjectAlternativeName } from '../../src/pki/subject-names.ts'
import { FakeClock } from '../fakes/fake-clock.ts'
import { selfSigned } from '../pki/three-step-chain.ts'

const forever = new AbortController().signal
const servers: Server[] = []
const sockets = new Set<Socket>()

async function listen(server: Server): Promise<number> {
  servers.push(server)
  server.on('connection', (socket) => sockets.add(socket))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return (server.address() as AddressInfo).port
}

const answer = async (handler: http.RequestListener): Promise<string> =>
  `http://127.0.0.1:${await listen(http.createServer(handler))}/dir`

/** A server that sends these bytes to whoever connects, then holds the connection. */
const answerBytes = async (bytes: string): Promise<string> =>
  `http://127.0.0.1:${await listen(createServer((socket) => socket.on('error', () => {}).write(bytes)))}/dir`

after(async () => {
  for (const socket of sockets) socket.destroy()
  for (const server of servers) server.close()
})

const get = (url: string, clock = new FakeClock(), signal = forever) =>
  createTransport({ clock }).send({ method: 'GET', url, headers: { 'User-Agent': 'test' } }, signal)

test('gives status, headers and body, whatever the status', async () => {
  const url = await answer((request, response) => {
    response
      .writeHead(503, { 'Retry-After': '7', 'Content-Type': 'text/html' })
      .end(`for ${request.headers['user-agent']}`)
  })
  const clock = new FakeClock()
  const response = await get(url, clock)
  assert.equal(response.status, 503)
  assert.equal(response.headers['retry-after'], '7')
  assert.equal(response.body, 'for test')
  assert.equal(clock.sleeping, 0)
})

test('sends the next request over the same connection', async () => {
  let connections = 0
  const server = http.createServer((request, response) => void request.resume().on('end', () => response.end('x')))
  server.on('connection', () => connections++)
  const url = `http://127.0.0.1:${await listen(server)}/`
  const transport = createTransport({ clock: new FakeClock() })
  for (let index = 0; index < 3; index++) await transport.send({ method: 'POST', url, headers: {}, body: 'b' }, forever)
  assert.equal(connections, 1)
})

test('a server that never answers is given up after 30 seconds', async () => {
  const clock = new FakeClock()
  let settled = false
  const url = await answer(async () => {
    await clock.advance(29_999)
    assert.equal(settled, false)
    await clock.advance(1)
  })
  const attempt = get(url, clock).finally(() => {
    settled = true
  })
  const host = new URL(url).host
  const message = `The ACME server ${host} did not answer within 30 seconds.`
  await assert.rejects(attempt, { code: 'acme-timeout', message })
  assert.equal(clock.sleeping, 0)
})

test('a trickle, a byte a second, does not prolong the 30 seconds', async () => {
  const clock = new FakeClock()
  let written = 0
  const url = await answer(async (_, response) => {
    for (; !response.destroyed; written++) {
      response.write('x')
      await clock.advance(1000)
    }
  })
  await assert.rejects(get(url, clock), { code: 'acme-timeout' })
  assert.ok(written >= 29)
  assert.equal(clock.sleeping, 0)
})

test('a connection that does not come about is given up after 10 seconds', async () => {
  const clock = new FakeClock()
  const closed = Promise.withResolvers<void>()
  // TLS that is never answered.
  const server = createServer((socket) => {
    socket.on('error', () => {}).once('close', () => closed.resolve())
    void clock.advance(10_000).then(() => socket.resume())
  })
  const port = await listen(server)
  const message = `The ACME server 127.0.0.1:${port} could not be connected to within 10 seconds.`
  await assert.rejects(get(`https://127.0.0.1:${port}/dir`, clock), { code: 'acme-timeout', message })
  assert.equal(clock.sleeping, 0)
  await closed.promise
})

test('more than 1 MiB is refused, announced or not', async () => {
  const large = 'x'.repeat(1024 * 1024)
  const exact = await answer((_, response) => void response.end(large))
  assert.equal((await get(exact)).body.length, 1024 * 1024)
  const announced = await answer((_, response) => void response.end(`${large}x`))
  await assert.rejects(get(announced), { code: 'acme-response-too-large' })
  const endless = await answer((_, response) => {
    const more = (): void => {
      while (!response.destroyed && response.write(large));
      if (!response.destroyed) response.once('drain', more)
    }
    more()
  })
  await assert.rejects(get(endless), { code: 'acme-response-too-large' })
})

test('interim responses before the answer are passed over (RFC 9110 §15.2)', async () => {
  const interim = 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>;rel=preload\r\n\r\n'
  const url = await answerBytes(`${interim.repeat(8)}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok`)
  assert.equal((await get(url)).body, 'ok')
})

test('a flood of interim responses is refused after the sixteenth, and its connection closed (RFC 9110 §15.2)', async () => {
  for (const interim of [
    'HTTP/1.1 100 Continue\r\n\r\n',
    `HTTP/1.1 103 Early Hints\r\nX: ${'x'.repeat(8000)}\r\n\r\n`,
  ]) {
    const closed = Promise.withResolvers<number>()
    const server = createServer((socket) => {
      socket.on('error', () => {}).once('close', () => closed.resolve(socket.bytesWritten))
      const more = (): void => {
        while (!socket.destroyed && socket.write(interim));
        if (!socket.destroyed) socket.once('drain', more)
      }
      more()
    })
    const url = `http://127.0.0.1:${await listen(server)}/dir`
    await assert.rejects(get(url), { code: 'acme-response-invalid', message: /sent more than 16 interim responses\.$/ })
    assert.ok((await closed.promise) < 64 * 1024 * 1024)
  }
})

test('a switch of protocols that nobody asked for is refused, and its connection closed (RFC 9110 §15.2.2)', async () => {
  for (const more of ['', 'x'.repeat(100_000)]) {
    const closed = Promise.withResolvers<void>()
    const head = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chatter\r\n\r\n'
    const server = createServer((socket) => {
      socket
        .on('error', () => {})
        .once('close', () => closed.resolve())
        .resume()
        .write(head + more)
    })
    const url = `http://127.0.0.1:${await listen(server)}/dir`
    await assert.rejects(get(url), { code: 'acme-response-invalid', message: /switched to another protocol/ })
    await closed.promise
  }
})

test('a redirect is an error that names where to, and nothing goes there', async () => {
  let visits = 0
  const target = await answer((_, response) => {
    visits++
    response.end()
  })
  for (const status of [301, 302, 307, 308]) {
    const url = await answer((_, response) => void response.writeHead(status, { Location: target }).end())
    await assert.rejects(get(url), (error: Error & { code: string }) => {
      assert.equal(error.code, 'acme-redirect')
      assert.ok(error.message.includes(`answered ${status} and points to ${target}`))
      return true
    })
  }
  const nowhere = await answer((_, response) => void response.writeHead(302).end())
  await assert.rejects(get(nowhere), { code: 'acme-redirect' })
  assert.equal(visits, 0)
})

test('refusal, reset, a lie about the length and bytes that are no HTTP are `acme-unreachable`, in words', async () => {
  const closed = createServer()
  const port = await listen(closed)
  await new Promise((resolve) => closed.close(resolve))
  const urls = [
    `http://127.0.0.1:${port}/`,
    await answer((request) => void request.socket.destroy()),
    await answer((request, response) => {
      response.write('x', () => setImmediate(() => request.socket.resetAndDestroy()))
    }),
    await answer((request) => {
      request.socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort')
    }),
    await answerBytes('SSH-2.0-OpenSSH_9.2\r\n'),
    await answerBytes('HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n'),
    await answerBytes(`HTTP/1.1 200 OK\r\n${'X: y\r\n'.repeat(20_000)}`),
  ]
  for (const url of urls)
    await assert.rejects(get(url), (error: Error & { code: string; transient: boolean }) => {
      assert.equal(error.code, 'acme-unreachable', url)
      assert.match(error.message, /^The ACME server 127\.0\.0\.1:\d+ cannot be reached: .+\.$/)
      assert.ok(error.transient)
      return true
    })
})

test('an abortion while the body comes in rejects with its reason and closes the connection', async () => {
  const controller = new AbortController()
  const closed = Promise.withResolvers<void>()
  const url = await answer((request, response) => {
    request.socket.once('close', () => closed.resolve())
    response.write('x'.repeat(100_000), () => setImmediate(() => controller.abort(new Error('shutting down'))))
  })
  await assert.rejects(get(url, new FakeClock(), controller.signal), /shutting down/)
  await closed.promise
})

test('an abortion rejects with its reason and closes the connection', async () => {
  const controller = new AbortController()
  const closed = Promise.withResolvers<void>()
  const url = await answer((request) => {
    request.socket.once('close', () => closed.resolve())
    controller.abort(new Error('shutting down'))
  })
  const clock = new FakeClock()
  await assert.rejects(get(url, clock, controller.signal), /shutting down/)
  await closed.promise
  assert.equal(clock.sleeping, 0)
})

let certificate: string
let key: string
before(async () => {
  const pair = await generateKey('ecdsa-p256')
  const extensions = [subjectAlternativeName(['127.0.0.1'], { critical: true })]
  const now = Date.now()
  certificate = await selfSigned(
    {
      issuer: commonName('Own'),
      subject: commonName('Own'),
      extensions,
      notBefore: now - 60_000,
      notAfter: now + 3_600_000,
    },
    pair,
  )
  key = exportPrivateKey(pair.privateKey)
})

const answerHttps = async (): Promise<string> => {
  const server = https.createServer({ cert: certificate, key }, (_, response) => void response.end('secure'))
  return `https://127.0.0.1:${await listen(server as unknown as Server)}/`
}

test('a server signed by nobody trusted is refused, and the message says what `trust` is for', async () => {
  await assert.rejects(get(await answerHttps()), (error: Error & { code: string; transient: boolean }) => {
    assert.equal(error.code, 'acme-untrusted')
    assert.match(error.message, /certificate of 127\.0\.0\.1:\d+ is not trusted.*“trust”/)
    assert.equal(error.transient, false)
    return true
  })
})

test('`trust` adds a root to those of the machine', async () => {
  const transport = createTransport({ clock: new FakeClock(), trust: certificate })
  const url = await answerHttps()
  assert.equal((await transport.send({ method: 'GET', url, headers: {} }, forever)).body, 'secure')
  const elsewhere = url.replace('127.0.0.1', 'localhost')
  await assert.rejects(transport.send({ method: 'GET', url: elsewhere, headers: {} }, forever), {
    code: 'acme-untrusted',
  })
})
