import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Look, type Notices, openNotices } from '../../src/notices/notices.ts'
import type { Severity, Trouble } from '../../src/notices/trouble.ts'
import { watchStorage } from '../../src/notices/watched-storage.ts'
import { FakeClock } from '../fakes/fake-clock.ts'
import { MemoryStorage } from '../fakes/memory-storage.ts'
import { RecordingLog } from '../fakes/recording-log.ts'
import { FakeChannel } from './fake-channel.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR

class Place {
  readonly clock = new FakeClock()
  readonly storage = new MemoryStorage()
  readonly channel = new FakeChannel('here')
  channels = [this.channel]
  log = new RecordingLog()
  look: Look = async () => []

  start(): Promise<Notices> {
    const { clock, storage, log, channels } = this
    const look: Look = (trouble, signal) => this.look(trouble, signal)
    return openNotices({ clock, storage, log, channels, look, random: () => 0.5, machine: 'gate' })
  }

  trouble(name = 'a.test', severity: Severity = 'warning', expiresAt?: number): Trouble {
    const about = { names: [name], issuers: ['ca'], nextAt: this.clock.now() + HOUR, expiresAt }
    return { ...about, kind: 'certificate-failed', severity, said: 'ca: it said “no”', cause: 'unauthorized' }
  }
}

test('a notice says what is wrong, what was said and seen, what comes next and what one can do', async () => {
  const place = new Place()
  place.look = async ({ names }) => [`${names[0]} resolves to no address.`]
  const notices = await place.start()
  notices.raise('certificate/a.test', place.trouble('a.test', 'warning', place.clock.now() + 10 * DAY))
  await place.clock.advance(0)
  const [[notice] = []] = place.channel.messages
  assert.equal(notice?.title, 'No new certificate for a.test, and the present one ends in 10 days')
  assert.equal(notice.said, 'ca: it said “no”.')
  assert.deepEqual(notice.seen, ['a.test resolves to no address.'])
  assert.equal(notice.next, 'Castellan tries again in 60 minutes, at 2026-11-24T13:00:00Z.')
  assert.match(notice.remedy, /ports 80 and 443 .* Then "castellan certs retry a\.test" tries at once\.$/)
  const [line] = place.log.of('notice-raised')
  assert.equal(line?.level, 'warn')
  for (const part of [notice.title, notice.said, ...notice.seen, notice.next, notice.remedy])
    assert.ok(line?.message.includes(part), part)
  await notices.stop()
  assert.equal(place.clock.sleeping, 0)
})

test('each thing is told once, again as time runs out, and when it is over', async () => {
  const place = new Place()
  const notices = await place.start()
  const expiresAt = place.clock.now() + 8 * DAY
  for (let day = 0; day < 10; day++) {
    notices.raise('certificate/a.test', place.trouble('a.test', day < 8 ? 'warning' : 'error', expiresAt))
    await place.clock.advance(DAY)
  }
  notices.withdraw('certificate/a.test')
  await place.clock.advance(0)
  assert.deepEqual(place.channel.told, [
    'raised a.test',
    'reminder a.test',
    'reminder a.test',
    'worse a.test',
    'over a.test',
  ])
  assert.deepEqual(
    place.channel.messages.flat().map(({ title }) => title),
    [
      'No new certificate for a.test, and the present one ends in 8 days',
      'No new certificate for a.test, and the present one ends in 4 days',
      'No new certificate for a.test, and the present one ends in 2 days',
      'No new certificate for a.test, and the former one has ended 0 seconds ago: clients refuse it',
      'a.test has its certificate',
    ],
  )
  assert.deepEqual(await place.storage.list('notices'), [])
  assert.equal(place.log.of('notice-worse')[0]?.level, 'error')
  assert.equal(place.log.of('notice-over')[0]?.level, 'info')
  await notices.stop()
})

test('a restart repeats nothing, and tells when it is over', async () => {
  const place = new Place()
  const first = await place.start()
  first.raise('certificate/a.test', place.trouble())
  await place.clock.advance(HOUR)
  await first.stop()
  const second = await place.start()
  second.raise('certificate/a.test', place.trouble())
  await place.clock.advance(HOUR)
  second.withdraw('certificate/a.test')
  await place.clock.advance(0)
  assert.deepEqual(place.channel.told, ['raised a.test', 'over a.test'])
  await second.stop()
})

test('what had not reached its channel before a restart does so after it, and no other channel again', async () => {
  const place = new Place()
  const mail = new FakeChannel('mail', 60_000)
  place.channels = [place.channel, mail]
  const first = await place.start()
  first.raise('certificate/a.test', place.trouble('a.test'))
  first.raise('certificate/b.test', place.trouble('b.test'))
  await place.clock.advance(10_000)
  first.withdraw('certificate/b.test')
  await place.clock.advance(0)
  await first.stop()
  assert.deepEqual(mail.told, [])
  const second = await place.start()
  await place.clock.advance(60_000)
  assert.deepEqual(mail.told, ['raised a.test', 'over b.test'])
  assert.deepEqual(place.channel.told, ['raised a.test', 'raised b.test', 'over b.test'])
  await place.clock.advance(0)
  assert.deepEqual(await place.storage.list('notices'), ['notices/certificate/a.test'])
  await second.stop()
})

test('a look that takes its time delays that notice alone, and never turns the order of its states', async () => {
  const place = new Place()
  const looked = Promise.withResolvers<string[]>()
  place.look = ({ names }) => (names[0] === 'slow.test' ? looked.promise : Promise.resolve([]))
  const notices = await place.start()
  notices.raise('certificate/slow.test', place.trouble('slow.test'))
  notices.raise('certificate/a.test', place.trouble())
  notices.withdraw('certificate/slow.test')
  await place.clock.advance(0)
  assert.deepEqual(place.channel.told, ['raised a.test'])
  looked.resolve([])
  await place.clock.advance(0)
  assert.deepEqual(place.channel.told, ['raised a.test', 'raised slow.test', 'over slow.test'])
  await notices.stop()
})

test('a storage that cannot be written keeps nothing from being told, is told of itself, and catches up', async () => {
  const place = new Place()
  let notices: Notices | undefined
  const key = (folder: string): string => `storage/${folder}`
  const watched = watchStorage(place.storage, {
    failed: (folder, subject, said) =>
      notices?.raise(key(folder), { kind: 'storage-unwritable', severity: 'error', names: [], subject, said }),
    worked: (folder) => notices?.withdraw(key(folder)),
  })
  const { clock, log, channels, look } = place
  notices = await openNotices({ storage: watched, clock, log, channels, look, random: () => 0.5, machine: 'gate' })
  place.storage.fails = (operation) => operation === 'put'
  notices.raise('certificate/a.test', place.trouble())
  await place.clock.advance(HOUR)
  const titles = place.channel.messages.flat().map(({ title }) => title)
  assert.deepEqual(titles, [
    'There is no certificate for a.test',
    'The storage cannot be written at memory:notices/certificate/a.test',
  ])
  place.storage.fails = () => false
  notices.raise('certificate/b.test', place.trouble('b.test'))
  await place.clock.advance(HOUR)
  assert.equal(
    place.channel.messages.flat().at(-1)?.title,
    'The storage can be written again at memory:notices/certificate/a.test',
  )
  assert.deepEqual(await place.storage.list('notices'), ['notices/certificate/a.test', 'notices/certificate/b.test'])
  await notices.stop()
})

test('what is damaged in the storage keeps nothing from starting', async () => {
  const place = new Place()
  for (const [key, text] of [
    ['one', '{'],
    ['two', 'null'],
    ['three', '{"key":"k/three","thing":{"parts":{}}}'],
    ['four', '{"key":"k/four","undelivered":7}'],
  ])
    await place.storage.put(`notices/k/${key}`, Buffer.from(text!))
  const notices = await place.start()
  assert.deepEqual(notices.open, [])
  await notices.stop()
})

test('what a peer says stays on its line', async () => {
  const place = new Place()
  const notices = await place.start()
  notices.raise('certificate/a.test', { ...place.trouble(), said: 'no\r\nBcc: everybody@example.com\u001b[2J' })
  await place.clock.advance(0)
  assert.equal(place.channel.messages[0]?.[0]?.said, 'no\\u000d\\u000aBcc: everybody@example.com\\u001b[2J.')
  await notices.stop()
})

test('a test notice goes to every channel, and says how each fared', async () => {
  const place = new Place()
  const other = new FakeChannel('there', 60_000)
  other.isOut = true
  place.channels = [place.channel, other]
  const notices = await place.start()
  assert.deepEqual(await Array.fromAsync(notices.test()), [
    { channel: 'here', error: undefined },
    { channel: 'there', error: 'there is out.' },
  ])
  assert.equal(place.channel.messages[0]?.[0]?.title, 'This is a test of Castellan on gate')
  await notices.stop()
})
