import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MaintenanceKeeper } from '../../src/maintenance/keeper.ts'
import { FakeClock } from '../fakes/fake-clock.ts'
import { MemoryStorage } from '../fakes/memory-storage.ts'
import { RecordingLog } from '../fakes/recording-log.ts'

const policy = { maxBodyBytes: undefined, headers: undefined, guards: undefined }
const maintenance = { isActive: true, allow: [], retryAfterSeconds: 300 }
const SITES = [
  { name: 'a.test', names: ['a.test', 'www.a.test'], policy },
  { name: 'b.test', names: ['b.test'], policy: { ...policy, maintenance } },
]
const KEY = 'maintenance/sites'

const CONFIG = { site: 'b.test', mode: 'config', since: undefined, until: undefined }

async function scene(storage = new MemoryStorage(), sites = SITES) {
  const [clock, log] = [new FakeClock(), new RecordingLog()]
  const keeper = await MaintenanceKeeper.open({ sites, storage, clock, log })
  return { keeper, storage, clock, log }
}

const on = { action: 'on', forMs: undefined, page: undefined } as const

test('a site is closed by any of its names, and stays so over a restart of the program', async () => {
  const { keeper, storage, clock } = await scene()
  assert.deepEqual(keeper.report(), [CONFIG])
  const since = clock.now()
  const told = await keeper.change('WWW.a.test', { ...on, forMs: 1500, page: 'soon' })
  const maintenance = { holdMs: undefined, retryAfterSeconds: 2, page: 'soon' }
  assert.deepEqual(told, { site: 'a.test', maintenance })
  const again = await scene(storage)
  assert.deepEqual(again.keeper.closed('a.test'), maintenance)
  assert.deepEqual(again.keeper.report(), [{ site: 'a.test', mode: 'on', since, until: undefined }, CONFIG])
  assert.match(again.log.of('maintenance')[0]!.message, /a\.test is still in maintenance/)
  assert.deepEqual(await again.keeper.change('a.test', { ...on, action: 'off' }), {
    site: 'a.test',
    maintenance: undefined,
  })
  assert.equal((await scene(storage)).keeper.closed('a.test'), undefined)
  assert.equal(await storage.get(KEY), undefined)
})

test('a hold is as long as asked for, up to a minute; a worker that starts later has the rest of it, and a restart ends it', async () => {
  const { keeper, storage, clock } = await scene()
  const hold = { ...on, action: 'hold' } as const
  assert.equal((await keeper.change('a.test', hold)).maintenance?.holdMs, 10_000)
  assert.equal((await keeper.change('a.test', { ...hold, forMs: 3_600_000 })).maintenance?.holdMs, 60_000)
  await clock.advance(45_000)
  assert.equal(keeper.closed('a.test')?.holdMs, 15_000)
  await clock.advance(45_000)
  assert.equal(keeper.closed('a.test')?.holdMs, 0)
  assert.equal(keeper.report()[0]?.mode, 'hold')
  assert.equal((await scene(storage)).keeper.closed('a.test'), undefined)
})

test('a site that there is not is refused, with what may be meant', async () => {
  const { keeper, storage } = await scene()
  await assert.rejects(keeper.change('a.tset', on), { code: 'site-unknown', message: /did you mean "a\.test"/ })
  assert.deepEqual(storage.puts, [])
})

test('what is remembered of a site that is gone is forgotten, and what is damaged is moved aside', async () => {
  const { keeper, storage } = await scene()
  await keeper.change('a.test', on)
  assert.deepEqual((await scene(storage, SITES.slice(1))).keeper.report(), [CONFIG])
  for (const damaged of ['{', '[1]', '{"a.test":{}}', '{"a.test":null}', '{"a.test":{"since":1,"page":2}}']) {
    await storage.put(KEY, Buffer.from(damaged))
    const { keeper: next, log } = await scene(storage)
    assert.deepEqual(next.report(), [CONFIG])
    assert.equal(log.of('maintenance-damaged').length, 1)
  }
})

test('a full disk does not keep a site open', async () => {
  const { keeper, storage, log } = await scene()
  storage.fails = (operation) => operation === 'put'
  assert.notEqual((await keeper.change('a.test', on)).maintenance, undefined)
  assert.equal(log.of('maintenance-not-stored').length, 1)
})

test('no command opens what the config closes, and whoever tries is told', async () => {
  const { keeper } = await scene()
  const off = { ...on, action: 'off' } as const
  await assert.rejects(keeper.change('b.test', off), { code: 'site-closed-by-config', message: /"active: off"/ })
  assert.deepEqual((await keeper.change('a.test', off)).maintenance, undefined)
  await keeper.change('b.test', on)
  assert.deepEqual((await keeper.change('b.test', off)).maintenance, undefined)
  assert.deepEqual(keeper.report(), [CONFIG])
})
