import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CertificateBoard } from '../../src/supervisor/certificate-board.ts'
import { firstPort, formatOrigin } from '../../src/supervisor/edge-config.ts'
import { trustHint } from '../../src/supervisor/trust-hint.ts'

const certificate = (id: string, staple?: string) => ({
  id,
  names: ['a.test'],
  chain: `chain ${id}`,
  privateKey: `key ${id}`,
  staple,
})

test('workers are told what has changed, and a new one everything', () => {
  const board = new CertificateBoard()
  assert.deepEqual(board.update({ held: [certificate('1'), certificate('2')], waiting: [] }), {
    put: [certificate('1'), certificate('2')],
    remove: [],
    staples: [],
    waiting: [],
  })
  const waiting = [{ names: ['b.test'], reason: 'because' }]
  assert.deepEqual(board.update({ held: [certificate('2'), certificate('3')], waiting }), {
    put: [certificate('3')],
    remove: ['1'],
    staples: [],
    waiting,
  })
  assert.deepEqual(board.all(), { put: [certificate('2'), certificate('3')], remove: [], staples: [], waiting })
})

test('of a staple that changes, workers are told that alone', () => {
  const board = new CertificateBoard()
  board.update({ held: [certificate('1'), certificate('2', 'a')], waiting: [] })
  const none = { put: [], remove: [], waiting: [] }
  const staples = [{ id: '1', staple: 'b' }]
  assert.deepEqual(board.update({ held: [certificate('1', 'b'), certificate('2', 'a')], waiting: [] }), {
    ...none,
    staples,
  })
  const held = [certificate('1', 'b'), certificate('2')]
  assert.deepEqual(board.update({ held, waiting: [] }), { ...none, staples: [{ id: '2', staple: undefined }] })
  assert.deepEqual(board.all(), { put: held, remove: [], staples: [], waiting: [] })
})

test('an origin is what one opens in a browser', () => {
  const tcp = (port: number) => [{ type: 'tcp', host: undefined, port } as const]
  assert.equal(formatOrigin('a.test', { https: tcp(443), http: tcp(8080) }), 'https://a.test')
  assert.equal(formatOrigin('a.test', { https: tcp(8443), http: tcp(8080) }), 'https://a.test:8443')
  assert.equal(formatOrigin('fd00::1', { https: tcp(8443), http: tcp(8080) }), 'https://[fd00::1]:8443')
  const unix = { type: 'unix', path: '/x.sock' } as const
  assert.equal(formatOrigin('a.test', { https: [unix], http: tcp(8080) }), 'https://a.test')
  // Where HTTPS is off, nothing answers there.
  assert.equal(formatOrigin('a.test', { https: [], http: tcp(8080) }), 'http://a.test:8080')
  assert.equal(formatOrigin('a.test', { https: [], http: tcp(80) }), 'http://a.test')
  assert.equal(firstPort([{ type: 'unix', path: '/x' }, ...tcp(8443)]), 8443)
})

test('the hint on how to trust the internal CA names its file and a command for this kind of machine', () => {
  for (const platform of ['linux', 'darwin', 'win32', 'freebsd'] as const) {
    const hint = trustHint('/d/root.crt', 'https://a.test', platform).join('\n')
    assert.match(hint, /curl --cacert \/d\/root\.crt https:\/\/a\.test/)
    assert.equal(/update-ca-certificates|add-trusted-cert|certutil/.test(hint), platform !== 'freebsd')
  }
})
