import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { drawChart } from './chart.ts'
import { run, type Scenario } from './scenario.ts'
import { hoursUntil, type Tally } from './tally.ts'

// Runs the program's own plan, agenda, ledger, ladder of retries, outages and choice of renewal instants against a model of a CA.
//
//   npm run simulate -- [SCENARIO …] [--names N] [--days N] [--write]
//
// --write puts charts into docs/simulation/.

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

const year: Scenario = {
  names: 1_000_000,
  days: 365,
  lifetimeMs: 45 * DAY_MS,
  hopeless: 0.01,
  missing: 0,
  outages: [
    { day: 60, days: 0.25 },
    { day: 130, days: 4 },
    { day: 290, days: 10 },
  ],
  revocationDay: 200,
  spreadDay: undefined,
  asksEach: false,
  seed: 1,
}

const sixDays: Scenario = {
  ...year,
  names: 200_000,
  days: 30,
  lifetimeMs: 160 * HOUR_MS,
  outages: [
    { day: 8, days: 0.25 },
    { day: 20, days: 1 },
  ],
  revocationDay: 14,
}

const bulk: Scenario = {
  ...year,
  names: 20_000,
  days: 120,
  missing: 1,
  outages: [],
  revocationDay: undefined,
}

const scenarios = new Map<string, Scenario>([
  ['year', year],
  ['year-herds', { ...year, keepsHerds: true }],
  ['six-days', sixDays],
  ['bulk-start', bulk],
  ['bulk-start-herds', { ...bulk, keepsHerds: true }],
  ['bulk-start-spread', { ...bulk, keepsHerds: true, spreadDay: 15 }],
  ['bulk-start-blind', { ...bulk, days: 30, isBlind: true }],
])

const { values, positionals } = parseArgs({
  options: { names: { type: 'string' }, days: { type: 'string' }, write: { type: 'boolean', default: false } },
  allowPositionals: true,
})
const chosen = positionals.length === 0 ? [...scenarios.keys()] : positionals
const unknown = chosen.filter((name) => !scenarios.has(name))
if (unknown.length > 0) {
  process.stderr.write(`There is no scenario ${unknown.join(', ')}; there are ${[...scenarios.keys()].join(', ')}.\n`)
  process.exit(2)
}

const FOLDER = join(import.meta.dirname, '../docs/simulation')
const tallies = new Map<string, Tally>()
for (const name of chosen) {
  const scenario = {
    ...scenarios.get(name)!,
    ...(values.names !== undefined && { names: Number(values.names) }),
    ...(values.days !== undefined && { days: Number(values.days) }),
  }
  const before = process.cpuUsage()
  const tally = await run(scenario, (day) => {
    if (process.stderr.isTTY) process.stderr.write(`\r${name}: day ${day + 1} of ${scenario.days}`)
  })
  const { user, system } = process.cpuUsage(before)
  tallies.set(name, tally)
  process.stdout.write(`${describe(name, scenario, tally, (user + system) / 1e6)}\n`)
  if (values.write) await writeCharts(name, scenario, tally)
}
if (
  Math.max(0, ...[...tallies].map(([name, { refused, expired }]) => (name.endsWith('blind') ? 0 : refused + expired))) >
  0
)
  process.exitCode = 1

function describe(name: string, scenario: Scenario, tally: Tally, cpuSeconds: number): string {
  const { ordersADay, replacedByHour } = tally
  const median = ordersADay.toSorted((a, b) => a - b)[Math.floor(ordersADay.length / 2)]!
  const hours = [0.5, 0.99, 1].map((part) => hoursUntil(replacedByHour, part))
  return [
    '',
    `${name}: ${count(scenario.names)} names, ${scenario.days} days, seed ${scenario.seed}`,
    `  certificates issued                 ${count(tally.issued)}`,
    `  orders a day: median, most          ${count(median)}, ${count(most(ordersADay))}`,
    `  orders in the busiest minute        ${count(most(tally.minuteADay))}`,
    ...afterwards(scenario).map(({ what, from, to }) => {
      const [days, minutes] = [ordersADay, tally.minuteADay].map((counts) => most(counts.slice(from, to)))
      return `  ${`after ${what}, days ${from}-${to}`.padEnd(36)}${count(days!)} in the busiest day, ${count(minutes!)} in a minute`
    }),
    `  tries that failed, or met an outage ${count(tally.failed)}, ${count(tally.putOff)}`,
    `  refused because of a rate limit     ${count(tally.refused)}`,
    `  expired that could have been renewed ${count(tally.expired)}`,
    `  without a certificate at the end    ${count(tally.withoutADay.at(-1)!)}, hopeless names aside`,
    ...(replacedByHour.length === 0
      ? []
      : [`  replaced after the revocation       half in ${hours[0]} h, 99 % in ${hours[1]} h, all in ${hours[2]} h`]),
    `  most entries of the ledger          ${count(tally.peakLedger)}`,
    `  memory at most                      ${count(Math.round(tally.peakMemory / 1e6))} MB`,
    `  CPU time                            ${count(Math.round(cpuSeconds))} s`,
  ].join('\n')
}

/** The days in which what was renewed together would come together again, up to the next event. */
function afterwards({ days, lifetimeMs, outages, revocationDay, missing }: Scenario) {
  const events = [
    ...outages.map((outage) => ({ what: `the outage of day ${outage.day}`, day: outage.day + outage.days })),
    ...(revocationDay === undefined ? [] : [{ what: 'the revocation', day: revocationDay }]),
    ...(missing < 1 ? [] : [{ what: 'the start', day: 10 }]),
  ].sort((a, b) => a.day - b.day)
  const cycle = Math.ceil(lifetimeMs / DAY_MS / 6)
  const starts = events.map(({ day }, index) => ({
    from: Math.ceil(day) + cycle,
    to: Math.floor(events[index + 1]?.day ?? days),
  }))
  return events.map(({ what }, index) => ({ what, ...starts[index]! })).filter(({ from, to }) => from < to)
}

function most(values: readonly number[]): number {
  return values.reduce((highest, each) => Math.max(highest, each), 0)
}

function count(value: number): string {
  return value.toLocaleString('en')
}

async function writeCharts(name: string, scenario: Scenario, tally: Tally): Promise<void> {
  await mkdir(FOLDER, { recursive: true })
  const spans = [
    ...scenario.outages.map(({ day, days }) => ({
      label: days < 1 ? `${days * 24} h out` : `${days} d out`,
      from: day,
      length: days,
    })),
    ...(scenario.revocationDay === undefined
      ? []
      : [{ label: 'all revoked', from: scenario.revocationDay, length: 0 }]),
    ...(scenario.spreadDay === undefined ? [] : [{ label: 'spread', from: scenario.spreadDay, length: 0 }]),
  ]
  const byDay = { xLabel: 'days', xStep: 1, spans }
  const orders = { label: 'orders a day', color: '#2a6fdb', values: tally.ordersADay }
  const failures = { label: 'tries that failed', color: '#d33', values: tally.failuresADay }
  const without = { label: 'names without a good certificate', color: '#2a9d5c', values: tally.withoutADay }
  await write(`${name}-orders`, drawChart({ ...byDay, title: `${name}: orders a day`, lines: [orders, failures] }))
  if (tally.withoutADay.some((count) => count > 0))
    await write(
      `${name}-without`,
      drawChart({ ...byDay, title: `${name}: names without a good certificate`, lines: [without] }),
    )
  if (tally.replacedByHour.length === 0) return
  let sum = 0
  const all = tally.replacedByHour.reduce((total, each) => total + each, 0)
  const values100 = tally.replacedByHour.map((each) => {
    sum += each
    return (100 * sum) / all
  })
  const line = { label: '% replaced', color: '#2a6fdb', values: [0, ...values100] }
  await write(
    `${name}-revocation`,
    drawChart({
      title: `${name}: replaced after a mass revocation`,
      xLabel: 'hours',
      xStep: 1,
      lines: [line],
      spans: [],
    }),
  )
}

async function write(name: string, svg: string): Promise<void> {
  await writeFile(join(FOLDER, `${name}.svg`), svg)
}
