import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Balance } from '../../src/certificates/ledger/order-facts.ts'
import { formatLimits } from '../../src/cli/limits.ts'
import type { AcmeIssuerConfig } from '../../src/config/config.ts'

const NOW = Date.parse('2026-11-26T17:00:00Z')
const DIRECTORY = 'https://ca.test/directory'
const issuers = new Map([['corporate', { directory: DIRECTORY } as AcmeIssuerConfig]])

test('limits are a table, with the fewest left first', () => {
  const authority = DIRECTORY
  const balances: Balance[] = [
    { authority, kind: 'orders', subject: 'x', limit: { count: 300, periodMs: 10_800_000 }, left: 260, moreAt: NOW },
    {
      authority,
      kind: 'certificates',
      subject: 'a.com',
      limit: { count: 50, periodMs: 604_800_000 },
      left: 1,
      moreAt: NOW,
    },
    { authority: 'https://other.test/', kind: 'sets', subject: 'b.com', limit: undefined, left: 0, moreAt: NOW },
  ]
  assert.equal(
    formatLimits(balances, { issuers }),
    [
      'CA                   LEFT  MORE AT            OF',
      'https://other.test/  0     2026-11-26 17:00Z  certificates for exactly b.com, as the CA says',
      'corporate            1     2026-11-26 17:00Z  50 certificates of a.com in 7 days',
      'corporate            260   2026-11-26 17:00Z  300 orders of one account in 3 hours',
      '',
    ].join('\n'),
  )
  assert.match(formatLimits([], { issuers }), /^Nothing was spent/)
})
