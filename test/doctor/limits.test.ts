import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Balance } from '../../src/certificates/ledger/order-facts.ts'
import { examineLimits } from '../../src/doctor/limits.ts'

const balance = (left: number): Balance => ({
  authority: 'https://ca.test/directory',
  kind: 'certificates',
  subject: 'example.com',
  limit: undefined,
  left,
  moreAt: Date.parse('2026-11-24T12:00:00Z'),
})

test('a limit that is used up is a warning that says until when, and one with something left is well', () => {
  assert.deepEqual(examineLimits([balance(3), balance(0)]), [
    {
      check: 'limits',
      subject: 'ca.test',
      level: 'warn',
      seen: 'no more certificates of example.com until 2026-11-24T12:00:00Z',
      advice: 'What is due waits for it by itself; "castellan limits" has all of them.',
    },
  ])
  for (const balances of [[balance(3)], []])
    assert.deepEqual(
      examineLimits(balances).map(({ level }) => level),
      ['ok'],
    )
})
