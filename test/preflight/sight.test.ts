import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ProbeAnswer } from '../../src/preflight/probe.ts'
import { lookAround, type Sight } from '../../src/preflight/sight.ts'
import { fakeResolver } from './fake-resolver.ts'

const forever = new AbortController().signal

function look(names: readonly string[], sight: Partial<Sight>): Promise<string[]> {
  const resolver = fakeResolver({ 'a.test': ['192.0.2.1', '2001:db8::1'], 'silent.test': 'silent' })
  const nothing = { resolver, ownAddresses: () => [], probe: undefined, caaFault: undefined }
  return lookAround(names, { ...nothing, ...sight }, forever)
}

test('it is said where a name leads', async () => {
  const own = ['127.0.0.1', '192.0.2.1', '2001:db8::1']
  assert.deepEqual(await look(['a.test'], { ownAddresses: () => own }), [
    'a.test resolves to 192.0.2.1, 2001:db8::1, which is this machine.',
  ])
  const [elsewhere] = await look(['a.test'], { ownAddresses: () => ['192.0.2.1'] })
  assert.match(elsewhere!, /^a\.test resolves to .*; not all of that is an address of this machine itself/)
  assert.deepEqual(await look(['b.test'], {}), ['b.test resolves to no address.'])
  assert.deepEqual(await look(['silent.test'], {}), ['No name server answered for silent.test.'])
})

const at = (address: string, outcome: ProbeAnswer['outcome'], seen: string): ProbeAnswer => ({
  ...{ address, outcome, seen },
  challenge: 'http-01',
})

test('it is said who answers on port 80 at each address', async () => {
  const asked: unknown[] = []
  const probe: Sight['probe'] = async (...question) => {
    asked.push(question)
    return [at('192.0.2.1', 'ours', 'is this program'), at('2001:db8::1', 'other', 'answers 404')]
  }
  assert.equal(
    (await look(['a.test'], { probe }))[1],
    'As seen from here, a.test at 192.0.2.1 port 80 is this program; [2001:db8::1] port 80 answers 404.',
  )
  assert.deepEqual(asked, [['a.test', ['192.0.2.1', '2001:db8::1'], 'http-01']])
})

test('where a name leads nowhere, or nothing can be published, nobody is said to answer', async () => {
  const probe: Sight['probe'] = async () => {
    throw new Error('no worker')
  }
  for (const name of ['a.test', 'b.test', 'silent.test']) assert.equal((await look([name], { probe })).length, 1)
})

test('it is said whether CAA lets the CA in, if that is known', async () => {
  const said = async (caaFault: Sight['caaFault']) => (await look(['b.test'], { caaFault })).slice(1)
  assert.deepEqual(await said(async () => undefined), ['No CAA record that can be seen keeps the CA from b.test.'])
  assert.deepEqual(await said(async () => 'the CAA records of b.test do not let it in'), [
    'The CAA records of b.test do not let it in.',
  ])
  assert.deepEqual(
    await said(async () => {
      throw new Error('the CA is out')
    }),
    [],
  )
})

test('no more than three names are looked at; of a wildcard and an address what there is', async () => {
  const asked: string[] = []
  const sight: Partial<Sight> = {
    resolver: fakeResolver({ 'a.test': ['192.0.2.1'], a: ['::1'], b: ['::1'], c: ['::1'], d: ['::1'] }),
    probe: async (name) => {
      asked.push(name)
      return [at('192.0.2.1', 'ours', 'is this program')]
    },
    caaFault: async () => undefined,
  }
  assert.deepEqual(await look(['*.a.test'], sight), ['No CAA record that can be seen keeps the CA from *.a.test.'])
  assert.deepEqual(await look(['192.0.2.1'], sight), ['As seen from here, 192.0.2.1 port 80 is this program.'])
  await look(['a', 'b', 'c', 'd'], sight)
  assert.deepEqual(asked, ['192.0.2.1', 'a', 'b', 'c'])
})
