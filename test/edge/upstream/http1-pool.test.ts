import assert from 'node:assert/strict'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import type { UpstreamConnection } from '../../../src/edge/http1/upstream-connection.ts'
import { Sweep } from '../../../src/edge/sweep.ts'
import { Http1Pool } from '../../../src/edge/upstream/http1-pool.ts'
import type { Borrower, UpstreamLine } from '../../../src/edge/upstream/pool.ts'
import { until } from '../http1/peer.ts'
import { Heard } from '../http1/upstream.ts'

class Waiting implements Borrower {
  readonly client = { clientAddress: '192.0.2.1', clientPort: 1, localAddress: '192.0.2.2', localPort: 2 }
  connection: UpstreamConnection | undefined
  cause: unknown

  onConnection(line: UpstreamLine): void {
    this.connection = line as UpstreamConnection
  }

  onUnreachable(cause: unknown): void {
    this.cause = cause
  }

  async arrived(): Promise<UpstreamConnection> {
    await until(() => this.connection !== undefined)
    return this.connection!
  }
}

async function pooled(t: TestContext) {
  let now = 0
  const sweep = new Sweep(() => now)
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => {})
    socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const address = { port }
  const pool = new Http1Pool({
    sweep,
    connect: (onread) => connect({ port: address.port, host: '127.0.0.1', onread, allowHalfOpen: true }),
    onThrow: (error) => {
      throw error
    },
  })
  t.after(() => {
    pool.destroy()
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const borrow = (mustBeFresh = false): Waiting & { cancel: () => void } => {
    const waiting = new Waiting()
    const lease = pool.lease(waiting, mustBeFresh)
    return Object.assign(waiting, { cancel: () => lease?.cancel() })
  }
  const use = async (connection: UpstreamConnection): Promise<void> => {
    const heard = new Heard()
    const get = { method: 'GET', scheme: 'http', authority: 'a', target: '/', upgrade: undefined } as const
    connection.send({ ...get, fields: [], contentLength: 0, takesTrailers: false }, heard)
    await heard.over()
  }
  const pass = (ms: number): void => {
    now += ms
    sweep.run()
  }
  return { pool, sockets, borrow, use, pass, server, address }
}

test('the connection that was used last is used next', async (t) => {
  const { borrow, use, sockets } = await pooled(t)
  const [first, second] = await Promise.all([borrow().arrived(), borrow().arrived()])
  await use(first)
  await use(second)
  assert.equal(borrow().connection, second)
  assert.equal(borrow().connection, first)
  assert.equal(sockets.length, 2)
})

test('who must have a fresh one gets no other', async (t) => {
  const { borrow, use } = await pooled(t)
  const first = await borrow().arrived()
  await use(first)
  assert.equal(first.isUsed, true)
  const second = await borrow(true).arrived()
  assert.notEqual(second, first)
  assert.equal(second.isUsed, false)
})

test('a connection that the upstream has closed is not given out', async (t) => {
  const { borrow, use, sockets } = await pooled(t)
  const first = await borrow().arrived()
  await use(first)
  sockets[0]!.destroy()
  await until(() => !first.isFree)
  assert.notEqual(await borrow().arrived(), first)
})

test('old connections are not kept, however busy they are', async (t) => {
  const { borrow, use, pass } = await pooled(t)
  let connection = await borrow().arrived()
  const first = connection
  for (let minute = 0; minute < 11; minute++) {
    pass(45_000)
    await use(connection)
    connection = await borrow().arrived()
  }
  assert.equal(connection, first)
  for (let minute = 0; minute < 3; minute++) pass(45_000)
  await use(connection)
  assert.notEqual(await borrow().arrived(), first)
})

test('256 are kept and no more', async (t) => {
  const { borrow, use } = await pooled(t)
  const all = await Promise.all(Array.from({ length: 260 }, () => borrow().arrived()))
  for (const connection of all) await use(connection)
  assert.equal(all.filter((connection) => connection.isFree).length, 256)
})

test('an upstream that cannot be reached is told with its cause', async (t) => {
  const { borrow, server, address } = await pooled(t)
  await new Promise((resolve) => server.close(resolve))
  const waiting = borrow()
  await until(() => waiting.cause !== undefined)
  assert.equal((waiting.cause as { code?: string }).code, 'ECONNREFUSED')
  assert.ok(address.port > 0)
})

test('who waits no more hears nothing, and the connection is given up', async (t) => {
  const { borrow, sockets } = await pooled(t)
  const waiting = borrow()
  waiting.cancel()
  const other = await borrow().arrived()
  assert.ok(other.isFree)
  await until(() => sockets.filter(({ destroyed }) => !destroyed).length === 1)
  assert.equal(waiting.connection, undefined)
  assert.equal(waiting.cause, undefined)
})

test('a pool that is closed keeps nothing', async (t) => {
  const { borrow, use, pool } = await pooled(t)
  const busy = await borrow().arrived()
  const idle = await borrow().arrived()
  await use(idle)
  pool.close()
  assert.equal(idle.isFree, false)
  await use(busy)
  assert.equal(busy.isFree, false)
})
