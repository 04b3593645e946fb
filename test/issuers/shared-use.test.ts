import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SharedUse } from '../../src/issuers/shared-use.ts'

const forever = new AbortController().signal
const turns = () => new Promise((resolve) => setImmediate(resolve))

test('many use it at once; a change waits for them, and who comes later waits for the change', async () => {
  const use = new SharedUse()
  const steps: string[] = []
  const gates = ['a', 'b', 'change'].map(() => Promise.withResolvers<void>())
  const work = (name: string, index: number) => async () => {
    steps.push(`${name} begins`)
    await gates[index]!.promise
    steps.push(`${name} ends`)
  }
  const all = [use.share(forever, work('a', 0)), use.share(forever, work('b', 1))]
  await turns()
  all.push(use.alone(forever, work('change', 2)))
  all.push(use.share(forever, async () => void steps.push('c')))
  await turns()
  assert.deepEqual(steps, ['a begins', 'b begins'])
  for (const gate of gates) {
    gate.resolve()
    await turns()
  }
  await Promise.all(all)
  assert.deepEqual(steps, ['a begins', 'b begins', 'a ends', 'b ends', 'change begins', 'change ends', 'c'])
})

test('a change that is given up, and one that fails, keep nobody waiting', async () => {
  const use = new SharedUse()
  const gate = Promise.withResolvers<void>()
  const using = use.share(forever, () => gate.promise)
  await turns()
  await assert.rejects(
    use.alone(AbortSignal.abort(new Error('enough')), async () => {}),
    /enough/,
  )
  assert.equal(await use.share(forever, async () => 1), 1)
  gate.resolve()
  await using
  await assert.rejects(
    use.alone(forever, () => Promise.reject(new Error('failed'))),
    /failed/,
  )
  assert.equal(await use.share(forever, async () => 2), 2)
})
