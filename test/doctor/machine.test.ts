import assert from 'node:assert/strict'
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { doorOf, examineListener, examineStorage, interfaceAddresses } from '../../src/doctor/machine.ts'
import { MomentaryFrontend } from '../../src/doctor/momentary-frontend.ts'
import { systemClock } from '../../src/system/clock.ts'

test('a storage folder is well where it is its owner’s, or can be made; nothing is written', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'castellan-doctor-'))
  t.after(() => rm(folder, { recursive: true }))
  const own = join(folder, 'own')
  await mkdir(own, { mode: 0o700 })
  assert.match((await examineStorage(own)).seen, /^its owner's alone, \d+ MiB free$/)
  await chmod(own, 0o755)
  const open = await examineStorage(own)
  assert.deepEqual([open.level, open.seen.slice(0, 25)], ['warn', 'open to others (mode 755)'])
  const later = await examineStorage(join(folder, 'not/there'))
  assert.deepEqual([later.level, later.seen], ['ok', 'not there yet, and made at the first start'])
  await writeFile(join(folder, 'file'), '')
  assert.equal((await examineStorage(join(folder, 'file/below'))).level, 'fail')
  assert.deepEqual((await readdir(folder)).sort(), ['file', 'own'])
})

test('a listener is reached by the loopback address, where it listens on all', async (t) => {
  assert.deepEqual(doorOf({ type: 'tcp', host: undefined, port: 443 }), { host: '127.0.0.1', port: 443 })
  assert.deepEqual(doorOf({ type: 'tcp', host: '::', port: 443 }), { host: '::1', port: 443 })
  assert.deepEqual(doorOf({ type: 'unix', path: '/run/a.sock' }), { path: '/run/a.sock' })
  assert.equal(doorOf({ type: 'fd', fd: 3 }), undefined)
  assert.ok(interfaceAddresses().has('127.0.0.1'))
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  const { port } = server.address() as { port: number }
  const address = { type: 'tcp', host: '127.0.0.1', port } as const
  assert.equal((await examineListener(address, 'here', systemClock)).level, 'ok')
  const gone = await examineListener({ type: 'unix', path: '/nowhere.sock' }, 'there', systemClock)
  assert.deepEqual([gone.level, gone.subject], ['fail', 'there'])
})

test('a momentary frontend answers what is published, on plain HTTP alone, and lets go of its ports', async () => {
  const place = (protocol: 'http' | 'https') =>
    ({ address: { type: 'tcp', host: '127.0.0.1', port: 0 }, spoken: protocol, protocol }) as const
  const answer = { type: 'http-01', name: 'a.test', token: 't', keyAuthorization: 't.k' } as const
  let port = 0
  {
    await using frontend = new MomentaryFrontend()
    assert.equal(frontend.answersHttp, false)
    const findings = await frontend.take([place('http'), place('https')])
    assert.deepEqual(
      findings.map(({ level, seen }) => `${level} ${seen}`),
      ['ok free', 'ok free'],
    )
    assert.equal(frontend.answersHttp, true)
    port = frontend.ports[0]!
    const ask = async (at: number) => (await fetch(`http://127.0.0.1:${at}/.well-known/acme-challenge/t`)).text()
    await frontend.publish(answer)
    assert.equal(await ask(port), 't.k')
    assert.equal(await ask(frontend.ports[1]!), '')
    await frontend.withdraw(answer)
    assert.equal(await ask(port), '')
    const again = new MomentaryFrontend()
    const taken = await again.take([{ ...place('http'), address: { type: 'tcp', host: '127.0.0.1', port } }])
    assert.match(`${taken[0]!.level} ${taken[0]!.seen}`, /^fail in use by another program$/)
  }
  await using after = new MomentaryFrontend()
  const [free] = await after.take([{ ...place('http'), address: { type: 'tcp', host: '127.0.0.1', port } }])
  assert.equal(free!.level, 'ok')
})
