import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isPublicName } from '../../src/pki/public-name.ts'

for (const name of [
  'example.com',
  '*.example.com',
  'xn--bcher-kva.example.org',
  'test.com',
  '1.1.1.1',
  '2606:4700::1111',
])
  test(`${name} can be certified by a public CA`, () => assert.equal(isPublicName(name), true))

for (const name of [
  'localhost',
  'app.localhost',
  '*.localhost',
  'a.test',
  'db.prod.internal',
  'printer.home.arpa',
  'nas.local',
  'intranet',
  '127.0.0.1',
  '10.1.2.3',
  '192.168.0.1',
  '172.31.255.255',
  '::1',
  'fd00::1',
  'fe80::1',
])
  test(`${name} cannot be certified by a public CA`, () => assert.equal(isPublicName(name), false))
