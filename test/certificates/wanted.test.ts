import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type SiteCertificates, wantedCertificates } from '../../src/certificates/wanted.ts'

function site(overrides: Partial<SiteCertificates> = {}): SiteCertificates {
  return {
    site: 'a.test',
    names: ['a.test'],
    keys: ['ecdsa-p256'],
    grouping: 'perSite',
    mustStaple: false,
    issuersFor: () => ['ca'],
    ...overrides,
  }
}

test('a site wants a certificate of each kind for all of its names', () => {
  const certificates = wantedCertificates([site({ names: ['a.test', 'b.test'], keys: ['ecdsa-p256', 'rsa-2048'] })])
  assert.deepEqual(
    certificates.map(({ names, keyKind, issuers }) => [names, keyKind, issuers]),
    [
      [['a.test', 'b.test'], 'ecdsa-p256', ['ca']],
      [['a.test', 'b.test'], 'rsa-2048', ['ca']],
    ],
  )
})

test('names with different issuers, or with perName, stand on certificates of their own; more than 100 are split', () => {
  const issuersFor = (name: string): string[] => (name === 'b.test' ? ['internal'] : ['ca'])
  const names = ['a.test', 'b.test', 'c.test']
  const namesOf = (given: SiteCertificates): (readonly string[])[] =>
    wantedCertificates([given]).map((each) => each.names)
  assert.deepEqual(namesOf(site({ names, issuersFor })), [['a.test', 'c.test'], ['b.test']])
  assert.deepEqual(namesOf(site({ names, grouping: 'perName' })), [['a.test'], ['b.test'], ['c.test']])
  const many = Array.from({ length: 250 }, (_, index) => `n${index}.test`)
  assert.deepEqual(
    namesOf(site({ names: many })).map(({ length }) => length),
    [100, 100, 50],
  )
})

test('names are split by what their issuers take', () => {
  const names = Array.from({ length: 60 }, (_, index) => `n${index}.test`)
  const issuersFor = (name: string): string[] => (name < 'n3' ? ['few'] : ['many'])
  const maxNamesOf = (issuers: readonly string[]): number => (issuers.includes('few') ? 25 : 100)
  assert.deepEqual(
    wantedCertificates([site({ names, issuersFor, maxNamesOf })]).map((each) => each.names.length),
    [23, 37],
  )
  const all = wantedCertificates([site({ names, issuersFor: () => ['many', 'few'], maxNamesOf })])
  assert.deepEqual(
    all.map((each) => each.names.length),
    [25, 25, 10],
  )
  assert.equal(new Set(all.map(({ id }) => id)).size, 3)
})

test('ids are storage keys, readable, and never the same', () => {
  const long = `${'a'.repeat(60)}.${'b'.repeat(60)}.${'c'.repeat(60)}`
  const sites = [
    site(),
    site({ names: ['a.test', 'b.test'] }),
    site({ names: ['a.test', 'c.test'] }),
    site({ names: ['*.a.test'] }),
    site({ names: ['fd00::1'] }),
    site({ names: [`${long}.x.test`] }),
    site({ names: [`${long}.y.test`] }),
    site({ names: ['a.test.b5f390768fb8'] }),
  ]
  const ids = wantedCertificates(sites).map(({ id }) => id)
  assert.equal(new Set(ids).size, ids.length)
  for (const id of ids) assert.match(id, /^[a-z0-9._@*-]{1,200}$/)
  assert.equal(ids[0], 'a.test.ecdsa-p256')
  assert.match(ids[1]!, /^a\.test@[0-9a-f]{12}\.ecdsa-p256$/)
})

test('an id stays the same when names are written in another order', () => {
  const idOf = (...names: string[]): string | undefined => wantedCertificates([site({ names })])[0]?.id
  assert.equal(idOf('a.test', 'b.test', 'c.test'), idOf('a.test', 'c.test', 'b.test'))
})
