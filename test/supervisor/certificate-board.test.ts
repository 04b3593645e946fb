import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pack } from '../../src/certificates/packed-certificate.ts'
import { exportPrivateKey } from '../../src/pki/keys.ts'
import { CertificateBoard } from '../../src/supervisor/certificate-board.ts'
import { firstPort, formatOrigin } from '../../src/supervisor/edge-config.ts'
import { changeInParts } from '../../src/supervisor/message-parts.ts'
import { trustHint } from '../../src/supervisor/trust-hint.ts'
import { pemOf, threeStepChain } from '../pki/three-step-chain.ts'

const { leaf, intermediate, privateKey } = await threeStepChain()
const packed = pack([leaf, intermediate], privateKey)
const certificate = (id: string, staple?: string) => ({ id, names: ['a.test'], key: 'prime256v1', packed, staple })
const snapshot = (id: string) => ({ id, names: ['a.test'], key: 'prime256v1' })

test('workers are told what has changed, and a new one everything, by short ids', () => {
  const board = new CertificateBoard()
  const none = { remove: [], staples: [], waiting: [] }
  const first = board.update({ held: [certificate('first'), certificate('second')], waiting: [] })
  assert.deepEqual(first, { ...none, put: [snapshot('1'), snapshot('2')] })
  const waiting = [{ names: ['b.test'], reason: 'because' }]
  const second = board.update({ held: [certificate('second'), certificate('third')], waiting })
  assert.deepEqual(second, { put: [snapshot('3')], remove: ['1'], staples: [], waiting })
  assert.deepEqual(board.all(), { ...none, put: [snapshot('2'), snapshot('3')], waiting })
})

test('what is put up ahead of the whole is told at once, and once', () => {
  const board = new CertificateBoard()
  const none = { remove: [], staples: [], waiting: undefined }
  board.update({ held: [certificate('first')], waiting: [] })
  assert.deepEqual(board.put([certificate('first'), certificate('second')]), { ...none, put: [snapshot('2')] })
  assert.deepEqual(board.put([certificate('second')]), { ...none, put: [] })
  assert.deepEqual(board.update({ held: [certificate('first'), certificate('second')], waiting: [] }).put, [])
  assert.deepEqual(board.update({ held: [certificate('first')], waiting: [] }).remove, ['2'])
})

test('of a staple that changes, workers are told that alone', () => {
  const board = new CertificateBoard()
  board.update({ held: [certificate('first'), certificate('second', 'a')], waiting: [] })
  const none = { put: [], remove: [], waiting: [] }
  const staples = [{ id: '1', staple: 'b' }]
  assert.deepEqual(board.update({ held: [certificate('first', 'b'), certificate('second', 'a')], waiting: [] }), {
    ...none,
    staples,
  })
  const held = [certificate('first', 'b'), certificate('second')]
  assert.deepEqual(board.update({ held, waiting: [] }), { ...none, staples: [{ id: '2', staple: undefined }] })
  assert.equal(board.material('1')?.staple, 'b')
})

test('the material is that of the certificates that workers know, and no other', () => {
  const board = new CertificateBoard()
  board.update({ held: [certificate('first', 'staple')], waiting: [] })
  assert.deepEqual(board.material('1'), {
    chain: pemOf(leaf, intermediate),
    privateKey: exportPrivateKey(privateKey),
    staple: 'staple',
  })
  board.update({ held: [certificate('second')], waiting: [] })
  assert.equal(board.material('1'), undefined)
  assert.equal(board.material('first'), undefined)
  assert.equal(board.material('2')?.staple, undefined)
})

test('a change in parts comes to the same, each part of a bounded size', () => {
  const put = Array.from({ length: 1_001 }, (_, index) => snapshot(String(index)))
  const staples = put.map(({ id }) => ({ id, staple: 's' }))
  const change = { put, remove: ['gone'], staples, waiting: [] }
  const parts = [...changeInParts(change)]
  assert.ok(parts.every((part) => part.put.length + part.staples.length <= 200))
  assert.deepEqual(
    parts.flatMap((part) => part.put),
    put,
  )
  assert.deepEqual(
    parts.flatMap((part) => part.staples),
    staples,
  )
  assert.deepEqual(
    parts.map(({ remove, waiting }) => [remove.length, waiting]),
    [...Array.from({ length: 12 }, () => [0, undefined]), [1, []]],
  )
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
