import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { Heartbeat } from '../../src/supervisor/heartbeat.ts'
import { FakeClock } from '../fakes/fake-clock.ts'

type Patient = { readonly name: string; answers: boolean; asked: number }

function startHeartbeat(t: TestContext) {
  const clock = new FakeClock()
  const hanging: string[] = []
  const heartbeat: Heartbeat<Patient> = new Heartbeat({
    clock,
    ask: (patient) => {
      patient.asked++
      if (patient.answers) heartbeat.hear(patient)
    },
    onHang: ({ name }, silentMs) => hanging.push(`${name} ${silentMs}`),
  })
  const end = new AbortController()
  void heartbeat.beat(end.signal)
  t.after(() => end.abort())
  const watch = (name: string, answers = true): Patient => {
    const patient = { name, answers, asked: 0 }
    heartbeat.watch(patient)
    return patient
  }
  return { clock, heartbeat, hanging, watch, end }
}

test('who answers is asked every five seconds for as long as it lives, and no longer', async (t) => {
  const { clock, heartbeat, hanging, watch, end } = startHeartbeat(t)
  const patient = watch('a')
  await clock.advance(600_000)
  assert.equal(patient.asked, 120)
  heartbeat.forget(patient)
  await clock.advance(60_000)
  assert.equal(patient.asked, 120)
  assert.deepEqual(hanging, [])
  end.abort()
  await clock.advance(0)
  assert.equal(clock.sleeping, 0)
})

test('who leaves three questions unanswered hangs, and is told of once; the others are left alone', async (t) => {
  const { clock, hanging, watch } = startHeartbeat(t)
  const patient = watch('a')
  watch('b')
  await clock.advance(5_000)
  patient.answers = false
  await clock.advance(15_000)
  assert.deepEqual(hanging, [])
  await clock.advance(5_000)
  assert.deepEqual(hanging, ['a 15000'])
  await clock.advance(600_000)
  assert.deepEqual(hanging, ['a 15000'])
})

test('an answer in the last moment is one, and so is anything else that is heard', async (t) => {
  const { clock, heartbeat, hanging, watch } = startHeartbeat(t)
  const patient = watch('a')
  await clock.advance(5_000)
  patient.answers = false
  await clock.advance(4_999)
  for (let count = 0; count < 10; count++) {
    await clock.advance(15_000)
    heartbeat.hear(patient)
  }
  assert.deepEqual(hanging, [])
})

test('who starts has a minute until its first answer', async (t) => {
  const { clock, hanging, watch } = startHeartbeat(t)
  watch('a', false)
  await clock.advance(64_000)
  assert.deepEqual(hanging, [])
  await clock.advance(1_000)
  assert.deepEqual(hanging, ['a 60000'])
})

test('nobody hangs because all were stopped: what was asked before that is forgiven, however often', async (t) => {
  const { clock, hanging, watch } = startHeartbeat(t)
  const patients = [watch('a'), watch('b')]
  await clock.advance(5_000)
  for (const patient of patients) patient.answers = false
  for (let count = 0; count < 20; count++) {
    await clock.advance(10_000)
    clock.oversleep(3_600_000)
    await clock.advance(0)
  }
  assert.deepEqual(hanging, [])
  // They go on being watched.
  await clock.advance(15_000)
  assert.deepEqual(hanging, ['a 15000', 'b 15000'])
})
