import assert from 'node:assert/strict'
import { existsSync, mkdirSync, openSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { type BindError, bindError, bindListeningSocket } from '../../src/supervisor/listening-sockets.ts'
import { systemClock } from '../../src/system/clock.ts'
import { freePort } from '../e2e/castellan.ts'

const impatient = { ...systemClock, sleep: async () => {} }

async function listenOn(options: object): Promise<Server> {
  const server = createServer((socket) => socket.on('error', () => {}).end('served'))
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(options, resolve))
  return server
}

function read(options: { port: number; host: string } | { path: string }): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    connect(options)
      .on('data', (piece) => {
        text += piece
      })
      .once('error', reject)
      .once('close', () => resolve(text))
  })
}

test('a bound socket is served by whoever listens on its descriptor, over both families', async () => {
  const port = await freePort()
  const socket = await bindListeningSocket({ type: 'tcp', host: undefined, port }, impatient)
  const server = await listenOn({ fd: socket.fd })
  assert.equal(await read({ port, host: '127.0.0.1' }), 'served')
  assert.equal(await read({ port, host: '::1' }).catch(() => 'served'), 'served')
  server.close()
})

test('a host name is looked up, an address is taken as it is', async () => {
  for (const host of ['localhost', '127.0.0.1']) {
    const socket = await bindListeningSocket({ type: 'tcp', host, port: await freePort() }, impatient)
    assert.ok(socket.fd > 2)
    socket.close()
  }
})

const refused = (code: BindError['code'], words: RegExp) => (error: BindError) =>
  error.code === code && words.test(error.message)

test('a port in use is said so, after a moment for the workers of a former program to let go', async () => {
  const port = await freePort()
  const squatter = await listenOn({ port, host: '127.0.0.1' })
  let waits = 0
  const clock = { ...impatient, sleep: async () => void waits++ }
  const address = { type: 'tcp', host: '127.0.0.1', port } as const
  await assert.rejects(
    bindListeningSocket(address, clock),
    refused('address-in-use', new RegExp(`^Port ${port} is in use`)),
  )
  assert.equal(waits, 20)
  const letsGo = { ...impatient, sleep: () => new Promise<void>((resolve) => void squatter.close(() => resolve())) }
  const socket = await bindListeningSocket(address, letsGo)
  socket.close()
})

test('an address of another machine, or a name that leads nowhere, is said so', async () => {
  for (const host of ['192.0.2.1', 'nowhere.invalid'])
    await assert.rejects(
      bindListeningSocket({ type: 'tcp', host, port: await freePort() }, impatient),
      refused('address-not-usable', new RegExp(`${host}.*an address of this machine`)),
    )
})

test('a port that is not permitted: the sentence names it and every way out', () => {
  const { message, code } = bindError({ type: 'tcp', host: undefined, port: 443 }, 'EACCES')
  assert.equal(code, 'address-not-permitted')
  for (const words of ['Port 443', 'setcap cap_net_bind_service=+ep', 'systemd', 'fd:3', ':8443'])
    assert.ok(message.includes(words), words)
})

test('a Unix socket: stale ones are replaced, live ones are not, and ours is removed at the end', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'castellan-socket-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const path = join(folder, 'https.sock')
  const address = { type: 'unix', path } as const
  const first = await bindListeningSocket(address, impatient)
  const server = await listenOn({ fd: first.fd })
  assert.equal(await read({ path }), 'served')
  await assert.rejects(
    bindListeningSocket(address, impatient),
    refused('address-in-use', /listening on unix:.*https\.sock/),
  )
  await new Promise((resolve) => server.close(resolve))
  assert.ok(existsSync(path))
  const second = await bindListeningSocket(address, impatient)
  second.close()
  assert.ok(!existsSync(path))
  const nowhere = { type: 'unix', path: join(folder, 'none/x.sock') } as const
  await assert.rejects(bindListeningSocket(nowhere, impatient), refused('address-not-usable', /a folder that exists/))
})

test('a Unix socket has the mode that it is given, whatever the umask, and as often as it is bound', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'castellan-socket-'))
  const umask = process.umask(0o077)
  t.after(async () => {
    process.umask(umask)
    await rm(folder, { recursive: true, force: true })
  })
  const path = join(folder, 'https.sock')
  const address = { type: 'unix', path } as const
  const stale = await listenOn((await bindListeningSocket(address, impatient)) as { fd: number })
  assert.equal(statSync(path).mode & 0o777, 0o700)
  await new Promise((resolve) => stale.close(resolve))
  for (const socketMode of [0o660, 0o666, 0o600]) {
    const socket = await bindListeningSocket(address, impatient, { socketMode })
    assert.equal(statSync(path).mode & 0o777, socketMode)
    const server = await listenOn({ fd: socket.fd })
    assert.equal(await read({ path }), 'served')
    await new Promise((resolve) => server.close(resolve))
  }
})

test('what is no socket is left as it is where a Unix socket should be', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'castellan-socket-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  writeFileSync(join(folder, 'file'), 'precious')
  mkdirSync(join(folder, 'folder'))
  symlinkSync('file', join(folder, 'link'))
  for (const name of ['file', 'folder', 'link']) {
    const path = join(folder, name)
    await assert.rejects(
      bindListeningSocket({ type: 'unix', path }, impatient),
      refused('address-in-use', new RegExp(`${path} is there already and is not a socket`)),
    )
    assert.ok(existsSync(path), name)
  }
  assert.equal(readFileSync(join(folder, 'file'), 'utf8'), 'precious')
})

test('a descriptor that was handed over is passed on as it is', async () => {
  const socket = await bindListeningSocket({ type: 'tcp', host: '127.0.0.1', port: await freePort() }, impatient)
  assert.equal((await bindListeningSocket({ type: 'fd', fd: socket.fd }, impatient)).fd, socket.fd)
  socket.close()
})

test('a descriptor that nobody handed over, or that is no socket, is said so', async () => {
  for (const fd of [999_999, openSync(import.meta.filename, 'r')])
    await assert.rejects(
      bindListeningSocket({ type: 'fd', fd }, impatient),
      refused('address-not-usable', new RegExp(`^fd:${fd} is not a socket.*systemd`)),
    )
})

test('a want of descriptors is not laid to the address', () => {
  for (const address of [{ type: 'tcp', host: undefined, port: 443 } as const, { type: 'unix', path: '/x' } as const])
    assert.match(bindError(address, 'EMFILE').message, /ulimit -n/)
})
