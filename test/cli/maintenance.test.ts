import assert from 'node:assert/strict'
import { resolve } from 'node:path'
import { test } from 'node:test'
import { formatReports, readGiven } from '../../src/cli/maintenance.ts'

const rest = { config: 'castellan.yaml', json: false }

test('arguments: nothing to look, or a site and what becomes of it', () => {
  assert.deepEqual(readGiven([]), { asked: undefined, forMs: undefined, page: undefined, ...rest })
  assert.deepEqual(readGiven(['a.test', 'hold', '--for', '30s']), {
    asked: { site: 'a.test', action: 'hold' },
    forMs: 30_000,
    page: undefined,
    ...rest,
  })
  assert.deepEqual(readGiven(['a.test', 'on', '--for', '2h', '--page', 'x.html', '--json']), {
    asked: { site: 'a.test', action: 'on' },
    forMs: 7_200_000,
    page: resolve('x.html'),
    config: 'castellan.yaml',
    json: true,
  })
})

for (const [args, mistake] of [
  [['a.test'], /needs on, off or hold$/],
  [['a.test', 'holt'], /did you mean "hold"/],
  [['a.test', 'on', 'b.test'], /one site/],
  [['--for', '30s'], /needs a site/],
  [['a.test', 'off', '--for', '30s'], /of no use with off/],
  [['a.test', 'hold', '--for', '61s'], /too long.*from 1s to 60s/],
  [['a.test', 'hold', '--for', '30'], /allowed: a number and/],
  [['a.test', 'on', '--nonsense'], /nonsense/],
] as const)
  test(`arguments that are refused: ${args.join(' ')}`, () => {
    const given = readGiven(args)
    assert.ok(typeof given === 'string')
    assert.match(given, mistake)
  })

test('the list of what is closed says how, and nothing gives orders to a terminal', () => {
  assert.equal(formatReports([]), 'No site is in maintenance.\n')
  const text = formatReports([
    { site: 'a.test', mode: 'on', since: 0, until: undefined },
    { site: 'b.test', mode: 'hold', since: 0, until: 60_000 },
    { site: 'c.test\x1b[1m', mode: 'config', since: undefined, until: undefined },
  ])
  assert.match(text, /a\.test +closed since 1970-01-01/)
  assert.match(text, /b\.test +requests wait until 1970-01-01/)
  assert.match(text, /closed by the config/)
  assert.ok(!text.includes('\x1b'))
})
