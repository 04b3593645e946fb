import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Directory } from '../../src/acme/directory.ts'
import { examineName, type NameIssuer, type NameOptions } from '../../src/doctor/names.ts'
import type { CaaRecord } from '../../src/preflight/name-resolver.ts'
import type { ProbeAnswer } from '../../src/preflight/probe.ts'
import { fakeResolver } from '../preflight/fake-resolver.ts'

const publicCa: NameIssuer = {
  issuer: 'letsencrypt',
  directory: { caaIdentities: ['ca.test'] } as unknown as Directory,
  accountUrl: 'https://ca.test/account/1',
  challenges: ['http-01'],
  isPublic: true,
}

/** What is found of `www.example.org`, as `check level`. */
async function examined(
  outcome: ProbeAnswer['outcome'],
  given: Partial<NameOptions> = {},
  issuer: Partial<NameIssuer> = {},
): Promise<string[]> {
  const options: NameOptions = {
    resolver: fakeResolver({ 'www.example.org': ['9.9.9.9'] }),
    lookup: async () => [],
    ownAddresses: new Set(['9.9.9.9']),
    probe: async (_, addresses) =>
      addresses.map((address) => ({ address, challenge: 'http-01', outcome, seen: 'was seen' })),
    ...given,
  }
  const findings = await examineName('www.example.org', [{ ...publicCa, ...issuer }], options)
  for (const { subject, level, advice } of findings) {
    assert.equal(subject, 'www.example.org')
    if (level === 'fail') assert.ok(advice)
  }
  return findings.map(({ check, level }) => `${check} ${level}`)
}

test('a name that leads to this machine, that CAA allows, and where we answer is well', async () => {
  assert.deepEqual(await examined('ours'), ['name ok', 'caa ok', 'port 80 ok'])
})

test('behind NAT an address of somebody else is a warning, and the answer decides', async () => {
  const ownAddresses = new Set(['10.0.0.2'])
  assert.deepEqual(await examined('ours', { ownAddresses }), ['name warn', 'caa ok', 'port 80 ok'])
  assert.deepEqual(await examined('other', { ownAddresses }), ['name warn', 'caa ok', 'port 80 fail'])
  assert.deepEqual(await examined('silent', { ownAddresses }), ['name warn', 'caa ok', 'port 80 warn'])
  assert.deepEqual(await examined('elsewhere', { ownAddresses }), ['name warn', 'caa ok', 'port 80 warn'])
})

test('a name that leads nowhere is wrong, and nobody is asked there', async () => {
  const nowhere = { resolver: fakeResolver({}), probe: async () => assert.fail('it is asked') }
  assert.deepEqual(await examined('ours', nowhere), ['name fail', 'caa ok'])
  const silent = { ...nowhere, resolver: fakeResolver({ 'www.example.org': 'silent' }) }
  assert.deepEqual(await examined('ours', silent), ['name warn', 'caa ok'])
})

test('to a public CA a private address is as good as none', async () => {
  const resolver = fakeResolver({ 'www.example.org': ['10.0.0.2'] })
  const hidden = { resolver, ownAddresses: new Set(['10.0.0.2']) }
  assert.deepEqual(await examined('ours', hidden), ['name warn', 'caa ok', 'port 80 ok'])
  assert.deepEqual(await examined('ours', hidden, { isPublic: false }), ['name ok', 'caa ok', 'port 80 ok'])
})

test('a CA of one’s own may know the name from elsewhere, and ask at another port', async () => {
  const own = { isPublic: false }
  const resolver = fakeResolver({})
  const fromHosts = { resolver, lookup: async () => ['9.9.9.9'] }
  assert.deepEqual(await examined('other', fromHosts, own), ['name ok', 'caa ok', 'port 80 warn'])
})

test('CAA that lets in another account only is wrong, and so it is before there is an account', async () => {
  const records = [{ critical: 0, issue: 'ca.test; accounturi=https://ca.test/account/2' } as CaaRecord]
  const resolver = fakeResolver({ 'www.example.org': ['9.9.9.9'] }, { 'example.org': records })
  assert.deepEqual(await examined('ours', { resolver }), ['name ok', 'caa fail', 'port 80 ok'])
  assert.deepEqual(await examined('ours', { resolver }, { accountUrl: undefined }), [
    'name ok',
    'caa fail',
    'port 80 ok',
  ])
  const theirs = { accountUrl: 'https://ca.test/account/2' }
  assert.deepEqual(await examined('ours', { resolver }, theirs), ['name ok', 'caa ok', 'port 80 ok'])
})

test('without a listener for plain HTTP nobody can be asked, without a directory CAA is not judged', async () => {
  assert.deepEqual(await examined('ours', { probe: undefined }), ['name ok', 'caa ok', 'port 80 warn'])
  assert.deepEqual(await examined('ours', {}, { directory: undefined }), ['name ok', 'port 80 ok'])
})

test('the internal CA asks nobody, and a wildcard leads nowhere by nature', async () => {
  const options = {
    resolver: fakeResolver({}),
    lookup: async () => [],
    ownAddresses: new Set<string>(),
    probe: undefined,
  }
  assert.deepEqual(await examineName('a.test', [], options), [])
  const found = await examineName('*.example.org', [publicCa], options)
  assert.deepEqual(
    found.map(({ check }) => check),
    ['caa'],
  )
})
