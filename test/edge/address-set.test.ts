import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AddressSet } from '../../src/edge/address-set.ts'

test('an address is in a set by itself, or by a network of its family', () => {
  const set = new AddressSet(['10.0.0.0/8', '192.0.2.7', 'fd00::/8', '::1'])
  for (const address of ['10.255.0.1', '192.0.2.7', 'fdff::1', '::1']) assert.ok(set.has(address), address)
  for (const address of ['11.0.0.1', '192.0.2.8', 'fe80::1', '::2', '']) assert.ok(!set.has(address), address)
})

test('peers on Unix sockets have no address, and are in a set only by their own word', () => {
  assert.ok(new AddressSet(['unix']).has(''))
  assert.ok(!new AddressSet(['unix']).has('127.0.0.1'))
  assert.ok(!new AddressSet([]).has(''))
})
