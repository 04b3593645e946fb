import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { connect, createServer, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { Answer } from '../../src/admin/answers.ts'
import { askProgram } from '../../src/admin/client.ts'
import type { ControlReply, ControlRequest } from '../../src/admin/protocol.ts'
import { type ControlSocket, openControlSocket } from '../../src/admin/server.ts'
import { CastellanError } from '../../src/errors.ts'
import { systemClock } from '../../src/system/clock.ts'
import { FakeClock } from '../fakes/fake-clock.ts'
import { RecordingLog } from '../fakes/recording-log.ts'

const OUTCOME: ControlReply = {
  type: 'outcome',
  certificate: { id: 'a', names: ['a.test'], keyKind: 'rsa-2048', left: [] },
  outcome: { status: 'stopped' },
}
const WHOLE = '{"version":2,"ask":"report"}\n'

type Setup = { readonly folder: string; readonly control: ControlSocket; readonly clock: FakeClock; log: RecordingLog }

async function makeFolder(t: TestContext, ...below: string[]): Promise<string> {
  const top = await mkdtemp(join(tmpdir(), 'castellan-control-'))
  t.after(() => rm(top, { recursive: true, force: true }))
  const folder = join(top, ...below)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  return folder
}

async function setUp(t: TestContext, answer: Answer, folder?: string): Promise<Setup> {
  const own = folder ?? (await makeFolder(t))
  const [clock, log] = [new FakeClock(), new RecordingLog()]
  const control = await openControlSocket({ folder: own, answer, clock, log })
  t.after(() => control.close())
  return { folder: own, control, clock, log }
}

const replying: Answer = async function* () {
  yield OUTCOME
}

async function ask(folder: string, request: ControlRequest = { ask: 'report' }): Promise<ControlReply[] | undefined> {
  const replies = await askProgram(folder, request, systemClock)
  return replies && Array.fromAsync(replies)
}

/** Sends bytes, and gives all that comes until the other side closes. */
function send(
  path: string,
  bytes: string | Buffer,
  { isHalfClosed = false } = {},
): { socket: Socket; said: Promise<string> } {
  const socket = connect({ path, allowHalfOpen: true })
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk
  })
  socket.on('error', () => {})
  socket.write(bytes)
  if (isHalfClosed) socket.end()
  const said = new Promise<string>((resolve) => {
    socket.once('end', () => socket.destroy())
    socket.once('close', () => resolve(text))
  })
  return { socket, said }
}

test('a request is answered, and the socket is for its owner alone', async (t) => {
  const asked: ControlRequest[] = []
  const { folder, control } = await setUp(t, async function* (request) {
    asked.push(request)
    yield OUTCOME
  })
  assert.deepEqual(await ask(folder, { ask: 'retry', name: 'a.test' }), [OUTCOME])
  assert.deepEqual(asked, [{ ask: 'retry', name: 'a.test' }])
  assert.equal(control.path, join(folder, 'control.sock'))
  assert.equal((await stat(control.path)).mode & 0o777, 0o600)
})

test('a refusal comes with its code and its words', async (t) => {
  // biome-ignore lint/correctness/useYield: it refuses before it has anything to say
  const { folder } = await setUp(t, async function* () {
    throw new CastellanError('certificate-unknown', 'No such name.')
  })
  await assert.rejects(ask(folder), { code: 'certificate-unknown', message: 'No such name.' })
})

test('a mistake of ours is told, logged, and costs no more than the answer', async (t) => {
  let isFirst = true
  const { folder, log } = await setUp(t, async function* () {
    if (isFirst) {
      isFirst = false
      throw new TypeError('x is undefined')
    }
    yield OUTCOME
  })
  await assert.rejects(ask(folder), { code: 'control-failed' })
  assert.deepEqual(await ask(folder), [OUTCOME])
  assert.equal(log.of('control-failed').length, 1)
})

test('where no program runs, nobody is asked', async (t) => {
  const folder = await makeFolder(t)
  assert.equal(await ask(folder), undefined)
  assert.equal(await ask(join(folder, 'missing')), undefined)
  await writeFile(join(folder, 'control.sock'), 'no socket')
  assert.equal(await ask(folder), undefined)
})

test('closing leaves nothing behind', async (t) => {
  const { folder, control } = await setUp(t, replying)
  await control.close()
  assert.deepEqual(await readdir(folder), [])
  assert.equal(await ask(folder), undefined)
})

/** Leaves a socket file that nobody listens on, as a killed program does. */
async function leaveStale(path: string): Promise<void> {
  const { spawnSync } = await import('node:child_process')
  const script = 'require("net").createServer().listen(process.argv[1], () => process.kill(process.pid, "SIGKILL"))'
  spawnSync(process.execPath, ['-e', script, path])
  assert.ok((await stat(path)).isSocket())
}

test('the socket of a program that has died is replaced', async (t) => {
  const folder = await makeFolder(t)
  await leaveStale(join(folder, 'control.sock'))
  assert.equal(await ask(folder), undefined)
  await setUp(t, replying, folder)
  assert.deepEqual(await ask(folder), [OUTCOME])
})

test('a path too long for a socket: a short one elsewhere, which a file in the storage names', async (t) => {
  const folder = await makeFolder(t, 'a'.repeat(60), 'b'.repeat(60))
  const { control } = await setUp(t, replying, folder)
  const elsewhere = (await readFile(join(folder, 'control.path'), 'utf8')).trimEnd()
  assert.equal(control.path, elsewhere)
  assert.equal(dirname(dirname(elsewhere)), tmpdir())
  assert.equal((await stat(dirname(elsewhere))).mode & 0o777, 0o700)
  assert.equal((await stat(elsewhere)).mode & 0o777, 0o600)
  assert.equal((await stat(join(folder, 'control.path'))).mode & 0o777, 0o600)
  assert.deepEqual(await ask(folder), [OUTCOME])
  await control.close()
  assert.deepEqual(await readdir(folder), [])
  await assert.rejects(stat(dirname(elsewhere)), { code: 'ENOENT' })
})

test('what a program that has died left elsewhere is removed', async (t) => {
  const folder = await makeFolder(t)
  const elsewhere = await makeFolder(t, 'castellan-x')
  await chmod(elsewhere, 0o700)
  await leaveStale(join(elsewhere, 'control.sock'))
  await writeFile(join(folder, 'control.path'), `${join(elsewhere, 'control.sock')}\n`)
  await setUp(t, replying, folder)
  await assert.rejects(stat(elsewhere), { code: 'ENOENT' })
  assert.deepEqual(await readdir(folder), ['control.sock'])
})

test('a folder elsewhere that others may use is neither asked nor touched', async (t) => {
  const folder = await makeFolder(t)
  const elsewhere = await makeFolder(t, 'castellan-x')
  await chmod(elsewhere, 0o777)
  const path = join(elsewhere, 'control.sock')
  const impostor = createServer((socket) => socket.end('{"type":"end"}\n'))
  await new Promise<void>((resolve) => impostor.listen(path, resolve))
  t.after(() => impostor.close())
  await writeFile(join(folder, 'control.path'), path)
  assert.equal(await ask(folder), undefined)
  await setUp(t, replying, folder)
  assert.ok((await stat(path)).isSocket())
})

test('a pointer that is a symbolic link, or names no socket of ours, is not followed', async (t) => {
  const folder = await makeFolder(t)
  const { control } = await setUp(t, replying)
  const pointer = join(folder, 'control.path')
  await writeFile(join(folder, 'aside'), control.path!)
  await symlink(join(folder, 'aside'), pointer)
  assert.equal(await ask(folder), undefined)
  for (const content of ['control.sock', '/etc/passwd', `/${'x'.repeat(200)}/control.sock`, 'x'.repeat(5000), '']) {
    await rm(pointer)
    await writeFile(pointer, content)
    assert.equal(await ask(folder), undefined, content)
  }
})

test('what stands in the place of the socket stays, and the socket is elsewhere', async (t) => {
  const folder = await makeFolder(t)
  await writeFile(join(folder, 'control.sock'), 'mine')
  const { control } = await setUp(t, replying, folder)
  assert.notEqual(dirname(control.path!), folder)
  assert.deepEqual(await ask(folder), [OUTCOME])
  assert.equal(await readFile(join(folder, 'control.sock'), 'utf8'), 'mine')
})

test('a program that can have no socket serves all the same, and says so', async (t) => {
  const folder = await makeFolder(t)
  await writeFile(join(folder, 'control.sock'), '')
  await mkdir(join(folder, 'control.path'))
  const { control, log } = await setUp(t, replying, folder)
  assert.equal(control.path, undefined)
  assert.match(log.of('control-unavailable')[0]!.message, /cannot ask this program/)
})

for (const [what, bytes, code] of [
  ['garbage', '\0\xff\n', 'control-request-invalid'],
  ['HTTP', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', 'control-request-invalid'],
  ['another version', '{"version":99,"ask":"report"}\n', 'control-version'],
  ['a line without end', 'x'.repeat(100_000), 'control-line-too-long'],
  ['deep nesting', `${'['.repeat(4000)}\n`, 'control-request-invalid'],
] as const)
  test(`${what} costs its own connection`, async (t) => {
    const { folder, control } = await setUp(t, replying)
    const { said } = send(control.path!, bytes)
    assert.equal(JSON.parse(await said).code, code)
    assert.deepEqual(await ask(folder), [OUTCOME])
  })

test('a request cut short is refused', async (t) => {
  const { control } = await setUp(t, replying)
  const { said } = send(control.path!, WHOLE.trimEnd(), { isHalfClosed: true })
  assert.equal(JSON.parse(await said).code, 'control-request-invalid')
})

test('who closes the sending side after the request is answered', async (t) => {
  const { control } = await setUp(t, replying)
  const { said } = send(control.path!, WHOLE, { isHalfClosed: true })
  assert.match(await said, /"hello"[\s\S]*"outcome"[\s\S]*"end"/)
})

test('a request that does not come is waited for ten seconds, and a byte a second does not prolong that', async (t) => {
  const { control, clock } = await setUp(t, replying)
  const { socket, said } = send(control.path!, '{')
  for (let second = 0; second < 10; second++) {
    await untilSleeping(clock, 1)
    socket.write(' ')
    await clock.advance(1000)
  }
  assert.equal(JSON.parse(await said).code, 'control-silent')
})

async function untilSleeping(clock: FakeClock, count: number): Promise<void> {
  while (clock.sleeping < count) await new Promise((resolve) => setImmediate(resolve))
}

test('who talks on while waiting for the answer is cut off', async (t) => {
  const { control, folder } = await setUp(t, async function* (request) {
    if (request.ask === 'retry') await new Promise(() => {})
    yield OUTCOME
  })
  const { socket, said } = send(control.path!, '{"version":2,"ask":"retry"}\n')
  await new Promise((resolve) => socket.once('data', resolve))
  socket.write(WHOLE)
  assert.match(await said, /^\{"type":"hello"[^\n]*\n$/)
  assert.deepEqual(await ask(folder), [OUTCOME])
})

test('who leaves before the end of the answer costs no error in the log', async (t) => {
  const socket = new Socket()
  const { control, log } = await setUp(t, async function* () {
    socket.destroy()
    yield OUTCOME
  })
  socket.connect({ path: control.path! }).write(WHOLE)
  await once(socket, 'close')
  await control.close()
  assert.deepEqual(log.of('control-failed'), [])
})

test('who does not read is given up after thirty seconds, and no more is made ready than a buffer holds', async (t) => {
  let made = 0
  const { control, clock } = await setUp(t, async function* () {
    for (; made < 100_000; made++) yield OUTCOME
  })
  const socket = connect(control.path!)
  socket.on('error', () => {})
  socket.pause()
  socket.write(WHOLE)
  await untilSleeping(clock, 1)
  while (made < 100) await new Promise((resolve) => setImmediate(resolve))
  await untilSleeping(clock, 1)
  assert.ok(made < 50_000, `${made}`)
  const closed = new Promise((resolve) => socket.once('close', resolve))
  await clock.advance(31_000)
  await clock.advance(2_000)
  socket.resume()
  await closed
  const stopped = made
  await clock.advance(60_000)
  assert.equal(made, stopped)
})

test('connections beyond those that are allowed are turned away, and make room when they go', async (t) => {
  const { control, folder } = await setUp(t, replying)
  const idle = Array.from({ length: 32 }, () => connect(control.path!).on('error', () => {}))
  await Promise.all(idle.map((socket) => new Promise((resolve) => socket.once('connect', resolve))))
  await assert.rejects(ask(folder), { code: 'control-broken' })
  const closed = idle.map((socket) => new Promise((resolve) => socket.once('close', resolve)))
  for (const socket of idle) socket.destroy()
  await Promise.all(closed)
  for (;;) {
    const answer = await ask(folder).catch(() => undefined)
    if (answer === undefined) continue
    assert.deepEqual(answer, [OUTCOME])
    break
  }
})

test('who waits when the program stops is told', async (t) => {
  const { control, folder } = await setUp(t, async function* () {
    yield OUTCOME
    await new Promise(() => {})
  })
  const replies = (await askProgram(folder, { ask: 'retry' }, systemClock))!
  assert.deepEqual((await replies.next()).value, OUTCOME)
  const rest = assert.rejects(replies.next(), { code: 'control-stopping', message: /being stopped/ })
  await control.close()
  await rest
})

test('a program that is killed in the middle, or talks nonsense, is told as such', async (t) => {
  const folder = await makeFolder(t)
  for (const [said, code] of [
    ['', 'control-broken'],
    ['{"type":"hello","version":2,"pid":1}\n{"type":"begun"', 'control-broken'],
    ['{"type":"hello","version":7,"pid":1}\n', 'control-version'],
    ['SSH-2.0-x\n', 'control-reply-invalid'],
    ['x'.repeat(2 * 1024 * 1024), 'control-line-too-long'],
  ] as const) {
    const program = createServer((socket) =>
      socket
        .on('error', () => {})
        .resume()
        .end(said),
    )
    await new Promise<void>((resolve) => program.listen(join(folder, 'control.sock'), resolve))
    await assert.rejects(ask(folder), { code }, said.slice(0, 50))
    await new Promise((resolve) => program.close(resolve))
  }
})

test('a program that says nothing is not waited for', async (t) => {
  const folder = await makeFolder(t)
  const program = createServer((socket) => socket.on('error', () => {}))
  await new Promise<void>((resolve) => program.listen(join(folder, 'control.sock'), resolve))
  t.after(() => program.close())
  const clock = new FakeClock()
  const replies = (await askProgram(folder, { ask: 'report' }, clock))!
  const next = assert.rejects(replies.next(), { code: 'control-silent' })
  await untilSleeping(clock, 1)
  await clock.advance(10_000)
  await next
})
