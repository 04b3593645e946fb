import assert from 'node:assert/strict'
import { test } from 'node:test'
import { median, type Outcome, type ScenarioFigures, spread } from '../../bench/figures.ts'
import { parseOptions, usage } from '../../bench/options.ts'
import { peers } from '../../bench/peers/all.ts'
import { formatReport, type Report, reportToJson } from '../../bench/report.ts'
import { scenarios } from '../../bench/scenarios/all.ts'
import { formatNumber, formatTable, notesOn } from '../../bench/table.ts'

const known = { scenarios: ['http1', 'http2', 'idle'], peers: ['castellan', 'nginx', 'caddy'] }

test('without options everything is measured', () => {
  const { only, peers, rounds, seconds, profile, json, help } = parseOptions([], known)
  assert.deepEqual({ only, peers }, { only: known.scenarios, peers: known.peers })
  assert.deepEqual(
    { rounds, seconds, profile, json, help },
    { rounds: 5, seconds: 3, profile: false, json: undefined, help: false },
  )
})

test('names may stand in one list or several, and the order stays that of the table', () => {
  const options = parseOptions(
    ['--only', 'idle,http1', '--peers=nginx', '--peers', 'castellan', '--rounds', '2'],
    known,
  )
  assert.deepEqual(options.only, ['http1', 'idle'])
  assert.deepEqual(options.peers, ['castellan', 'nginx'])
  assert.equal(options.rounds, 2)
})

test('what is wrong with an option is said, with what is allowed', () => {
  for (const [args, message] of [
    [['--only', 'http3'], /no "http3"; allowed: http1, http2, idle/],
    [['--peers', 'nginx,'], /no ""; allowed: castellan, nginx, caddy/],
    [['--rounds', '0'], /--rounds takes a whole number from 1 to 100, not "0"/],
    [['--rounds', '1.5'], /not "1.5"/],
    [['--seconds', '61'], /from 1 to 60/],
    [['--round', '1'], /--round/],
    [['http1'], /http1/],
  ] as const)
    assert.throws(() => parseOptions(args, known), { code: 'options-invalid', message })
})

test('the usage names every scenario and every peer', () => {
  const names = { scenarios: scenarios.map(({ name }) => name), peers: peers.map(({ name }) => name) }
  const text = usage(names)
  for (const name of [...names.scenarios, ...names.peers]) assert.match(text, new RegExp(`\\b${name}\\b`))
  assert.equal(new Set(names.scenarios).size, scenarios.length)
})

test('a median is the middle, whatever the order', () => {
  assert.equal(median([30, 1, 2]), 2)
  assert.equal(median([4, 1, 100, 2]), 3)
  assert.equal(median([7]), 7)
})

test('a spread is a share of the median', () => {
  assert.equal(spread([10, 10]), 0)
  assert.equal(spread([9, 10, 12]), 0.3)
  assert.equal(spread([0, 0]), 0)
})

test('figures have three significant digits, as far as they stand behind the point', () => {
  assert.deepEqual([1234.5, 123.45, 12.345, 1.2345, 0.12345].map(formatNumber), ['1235', '123', '12.3', '1.23', '0.12'])
})

const measured = (...values: number[]): Outcome => ({ type: 'measured', readings: values.map((cpu) => ({ cpu })) })

const figures: ScenarioFigures[] = [
  {
    scenario: 'http1',
    metrics: [{ name: 'cpu', title: 'HTTP/1.1', unit: 'µs' }],
    outcomes: new Map([
      ['castellan', measured(30, 31, 29)],
      ['nginx', measured(20)],
      ['caddy', { type: 'absent', reason: 'needs the program caddy; Debian: apt-get install caddy' }],
    ]),
  },
  {
    scenario: 'http2',
    metrics: [{ name: 'cpu', title: 'HTTP/2', unit: 'µs' }],
    outcomes: new Map<string, Outcome>([
      ['castellan', measured(10, 13)],
      ['nginx', { type: 'failed', reason: 'round 1/2: it broke' }],
      ['caddy', { type: 'unable', reason: 'does not speak HTTP/2' }],
    ]),
  },
]

test('the table has medians, ratios to the reference, and a word where there is no figure', () => {
  assert.equal(
    formatTable(figures, { peers: known.peers, reference: 'nginx' }),
    `
| scenario | unit |    castellan |  nginx |  caddy |
| -------- | ---- | -----------: | -----: | -----: |
| HTTP/1.1 | µs   | 30.0 (1.50×) |   20.0 | absent |
| HTTP/2   | µs   |        ~11.5 | failed |      – |`.trimStart(),
  )
})

test('without the reference there are no ratios', () => {
  assert.doesNotMatch(formatTable(figures, { peers: ['castellan'], reference: 'haproxy' }), /×/)
})

test('notes say why there is no figure, and what a doubtful one is', () => {
  assert.deepEqual(notesOn(figures), [
    'http2, nginx: round 1/2: it broke',
    'http2, caddy: does not speak HTTP/2',
    '~ its rounds lie more than 20 % apart: measure again on a quiet machine',
  ])
})

const report: Report = {
  date: '2026-11-26T00:00:00.000Z',
  machine: { cores: 2, cpu: 'A CPU', memoryGiB: 8, system: 'Debian', kernel: '6.1', load: '0.10' },
  rounds: 3,
  seconds: 1,
  origin: 'nginx',
  peers: [
    { name: 'castellan', version: '1', missing: undefined, tls: 'TLSv1.3 X' },
    { name: 'nginx', version: '2', missing: undefined, tls: undefined },
    { name: 'caddy', version: undefined, missing: 'needs the program caddy', tls: undefined },
  ],
  figures,
}

test('the report has the facts of the machine and says which peers are absent', () => {
  const text = formatReport(report)
  for (const part of ['2 cores, A CPU', 'Linux 6.1', 'castellan: 1, TLSv1.3 X', 'nginx: 2\n', '| HTTP/1.1'])
    assert.ok(text.includes(part), part)
  assert.ok(text.includes('caddy: absent (needs the program caddy)'))
})

test('the JSON has every round', () => {
  const { scenarios: all, machine, reference } = JSON.parse(reportToJson(report))
  assert.deepEqual(machine, report.machine)
  assert.equal(reference, 'nginx')
  const { castellan, caddy } = all[0].metrics[0].peers
  assert.deepEqual(castellan, { type: 'measured', median: 30, rounds: [30, 31, 29] })
  assert.equal(caddy.type, 'absent')
})
