import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import {
  Client,
  type ClientReadableStream,
  credentials,
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceError,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js'
import { serve, siteOf } from '../serve.ts'
import { certificate, rootPem } from '../tls/served.ts'

// A gRPC client that speaks HTTP/2 over TLS with us, and a gRPC server that we speak HTTP/2 in clear with: another
// implementation at both ends.

const write = (text: string): Buffer => Buffer.from(text)
const read = (bytes: Buffer): string => bytes.toString()

const method = (name: string, requestStream: boolean, responseStream: boolean) => ({
  path: `/test.Echo/${name}`,
  requestStream,
  responseStream,
  requestSerialize: write,
  requestDeserialize: read,
  responseSerialize: write,
  responseDeserialize: read,
})

const SERVICE = {
  unary: method('Unary', false, false),
  collect: method('Collect', true, false),
  spread: method('Spread', false, true),
  echo: method('Echo', true, true),
  fail: method('Fail', false, false),
  never: method('Never', false, true),
}

type Ended = { readonly name: string; readonly cancelled: boolean }

/** The app: what it is told of cancellations goes to `ended`. */
function application(ended: Ended[]) {
  return {
    unary({ request, metadata }: ServerUnaryCall<string, string>, done: sendUnaryData<string>) {
      const trailers = new Metadata()
      trailers.set('x-seen', metadata.get('x-tag').join())
      done(null, `unary ${request}`, trailers)
    },
    collect(call: ServerReadableStream<string, string>, done: sendUnaryData<string>) {
      const parts: string[] = []
      call.on('data', (part: string) => parts.push(part))
      call.on('end', () => done(null, parts.join()))
    },
    spread(call: ServerWritableStream<string, string>) {
      for (const part of call.request.split(',')) call.write(part)
      call.end()
    },
    echo(call: ServerDuplexStream<string, string>) {
      call.on('data', (part: string) => call.write(`echo ${part}`))
      call.on('end', () => call.end())
    },
    fail(_call: ServerUnaryCall<string, string>, done: sendUnaryData<string>) {
      const metadata = new Metadata()
      metadata.set('detail-bin', Buffer.from([0, 255]))
      done({ code: status.NOT_FOUND, details: 'no such thing: ü', metadata })
    },
    never(call: ServerWritableStream<string, string>) {
      call.write('begun')
      call.on('cancelled', () => ended.push({ name: call.request, cancelled: call.cancelled }))
    },
  }
}

async function grpc(t: TestContext) {
  const ended: Ended[] = []
  const server = new Server()
  server.addService(SERVICE, application(ended))
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  )
  const proxy = await serve([siteOf({ scheme: 'h2c', host: '127.0.0.1', port })], {
    protocol: 'h2',
    certificate: await certificate('ecdsa-p256', 'a.test'),
  })
  const client = new Client(`127.0.0.1:${proxy.port}`, credentials.createSsl(Buffer.from(await rootPem())), {
    'grpc.ssl_target_name_override': 'a.test',
    'grpc.default_authority': 'a.test',
  })
  t.after(async () => {
    client.close()
    await proxy.close()
    server.forceShutdown()
  })
  return { client, ended, proxy }
}

type Unary = { readonly error: ServiceError | null; readonly value: string | undefined; readonly trailers: Metadata }

function unary(client: Client, { path }: { path: string }, request: string, metadata = new Metadata()): Promise<Unary> {
  return new Promise((resolve) => {
    let result: Omit<Unary, 'trailers'> | undefined
    const call = client.makeUnaryRequest(path, write, read, request, metadata, (error, value) => {
      result = { error, value }
    })
    call.on('status', (end) => setImmediate(() => resolve({ ...result!, trailers: end.metadata })))
  })
}

async function partsOf(stream: ClientReadableStream<string>): Promise<string[]> {
  const parts: string[] = []
  for await (const part of stream) parts.push(part)
  return parts
}

test('a unary call, with metadata both ways', async (t) => {
  const { client, proxy } = await grpc(t)
  const metadata = new Metadata()
  metadata.set('x-tag', 'one')
  const { value, trailers } = await unary(client, SERVICE.unary, 'ü', metadata)
  assert.equal(value, 'unary ü')
  assert.deepEqual(trailers.get('x-seen'), ['one'])
  const many = await Promise.all(Array.from({ length: 300 }, (_, index) => unary(client, SERVICE.unary, `${index}`)))
  for (const [index, one] of many.entries()) assert.equal(one.value, `unary ${index}`)
  assert.ok(proxy.accesses.every((access) => access.status === 200))
})

test('a message of a megabyte both ways', async (t) => {
  const { client } = await grpc(t)
  const text = 'every octet in its place. '.repeat(40_000)
  assert.equal((await unary(client, SERVICE.unary, text)).value, `unary ${text}`)
})

test('a stream of requests, one response', async (t) => {
  const { client } = await grpc(t)
  const answer = Promise.withResolvers<string | undefined>()
  const call = client.makeClientStreamRequest<string, string>(SERVICE.collect.path, write, read, (error, value) =>
    error === null ? answer.resolve(value) : answer.reject(error),
  )
  for (const part of ['a', 'b', 'c']) call.write(part)
  call.end()
  assert.equal(await answer.promise, 'a,b,c')
})

test('one request, a stream of responses', async (t) => {
  const { client } = await grpc(t)
  const call = client.makeServerStreamRequest<string, string>(SERVICE.spread.path, write, read, 'a,b,c')
  assert.deepEqual(await partsOf(call), ['a', 'b', 'c'])
})

test('a stream each way, in turns', async (t) => {
  const { client } = await grpc(t)
  const call = client.makeBidiStreamRequest<string, string>(SERVICE.echo.path, write, read)
  for (const part of ['a', 'b', 'c']) {
    call.write(part)
    assert.deepEqual(await once(call, 'data'), [`echo ${part}`])
  }
  call.end()
  await once(call, 'end')
})

test('a failure comes with its status, its words and its metadata, also without a response before it', async (t) => {
  const { client } = await grpc(t)
  const { error } = await unary(client, SERVICE.fail, 'x')
  assert.equal(error?.code, status.NOT_FOUND)
  assert.equal(error.details, 'no such thing: ü')
  assert.deepEqual(error.metadata.get('detail-bin'), [Buffer.from([0, 255])])
  const unknown = await unary(client, { path: '/test.Echo/Nothing' }, 'x')
  assert.equal(unknown.error?.code, status.UNIMPLEMENTED)
})

test('a deadline that passes ends the call at both ends', async (t) => {
  const { client, ended } = await grpc(t)
  const call = client.makeServerStreamRequest<string, string>(SERVICE.never.path, write, read, 'late', {
    deadline: Date.now() + 200,
  })
  const failure = await partsOf(call).catch((error: ServiceError) => error)
  assert.equal((failure as ServiceError).code, status.DEADLINE_EXCEEDED)
  while (ended.length === 0) await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(ended, [{ name: 'late', cancelled: true }])
})

test('a call that is cancelled is cancelled at the server, and others go on', async (t) => {
  const { client, ended } = await grpc(t)
  const call = client.makeServerStreamRequest<string, string>(SERVICE.never.path, write, read, 'cancelled')
  const other = client.makeBidiStreamRequest<string, string>(SERVICE.echo.path, write, read)
  assert.deepEqual(await once(call, 'data'), ['begun'])
  call.on('error', () => {})
  call.cancel()
  while (ended.length === 0) await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(ended, [{ name: 'cancelled', cancelled: true }])
  other.write('still')
  assert.deepEqual(await once(other, 'data'), ['echo still'])
  other.end()
  await once(other, 'end')
})
