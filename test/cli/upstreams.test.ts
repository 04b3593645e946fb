import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { UpstreamReport } from '../../src/admin/upstream-report.ts'
import { formatUpstreams } from '../../src/cli/upstreams.ts'

const SINCE = Date.parse('2026-11-26T17:00:00Z')

const report: UpstreamReport = {
  ...{ url: 'http://10.0.0.1:80', sites: ['a.test', 'b.test'], weight: 1, state: 'unchecked' },
  ...{ since: undefined, why: undefined, underWay: 2, requests: 10, failures: 0 },
}

test('upstreams are a table, with the reason below those that get less than their share', () => {
  const down = {
    ...report,
    url: 'unix:/run/a.sock',
    state: 'down',
    since: SINCE,
    why: 'It answered 500 to /.',
  } as const
  const out = { ...report, url: 'http://h:1', state: 'left-out', why: 'it fails again and again' } as const
  assert.equal(
    formatUpstreams([report, down, out]),
    [
      'UPSTREAM            STATE      WEIGHT  UNDER WAY  REQUESTS  FAILURES  SITES',
      'http://10.0.0.1:80  unchecked  1       2          10        0         a.test, b.test',
      'unix:/run/a.sock    down       1       2          10        0         a.test, b.test',
      '    Since 2026-11-26 17:00Z: It answered 500 to /.',
      'http://h:1          left-out   1       2          10        0         a.test, b.test',
      '    Because it fails again and again.',
      '',
    ].join('\n'),
  )
  assert.match(formatUpstreams([]), /^No site has an upstream/)
})
