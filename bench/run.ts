import { writeFile } from 'node:fs/promises'
import { relative } from 'node:path'
import { CastellanError, describeError } from '../src/errors.ts'
import { systemClock } from '../src/system/clock.ts'
import { BenchError } from './bench-error.ts'
import { Contest, checkTool, type Entrant, type Ground } from './contest.ts'
import type { ScenarioFigures } from './figures.ts'
import { machineFacts } from './machine.ts'
import { type BenchOptions, parseOptions, usage } from './options.ts'
import { startOrigin } from './origin/origin.ts'
import { peers } from './peers/all.ts'
import { castellan } from './peers/castellan.ts'
import { Place } from './place.ts'
import { profileScenario } from './profile.ts'
import { formatReport, type Report, reportToJson } from './report.ts'
import { scenarios } from './scenarios/all.ts'
import type { Scenario } from './scenarios/scenario.ts'
import { makeSites, type Site } from './site.ts'

// `npm run bench`: measures and prints. What it says meanwhile goes to standard error.

const known = { scenarios: scenarios.map(({ name }) => name), peers: peers.map(({ name }) => name) }

function tell(line: string): void {
  process.stderr.write(`${line}\n`)
}

async function bench(options: BenchOptions): Promise<Report> {
  if (process.platform !== 'linux')
    throw new BenchError('platform-unfit', 'CPU times are read from /proc: run on Linux')
  const chosen = scenarios.filter(({ name }) => options.only.includes(name))
  for (const scenario of chosen) checkTool(scenario)
  const machine = machineFacts()
  const entrants = await findEntrants(options)
  const tls = new Map<string, string>()
  const place = await Place.make()
  const origin = await startOrigin(place)
  const { rounds, seconds } = options
  const onServing: Ground['onServing'] = ({ name }, agreed) => tls.set(name, agreed)
  try {
    const figures = await contend(chosen, entrants, { place, origin, rounds, seconds, tell, onServing }, options)
    const facts = entrants.map(({ peer: { name }, presence }) => ({
      name,
      version: presence.type === 'present' ? presence.version : undefined,
      missing: presence.type === 'absent' ? presence.reason : undefined,
      tls: tls.get(name),
    }))
    const date = new Date(systemClock.now()).toISOString()
    return { date, machine, rounds, seconds, origin: origin.description, peers: facts, figures }
  } finally {
    await origin.stop()
  }
}

async function findEntrants({ peers: names }: BenchOptions): Promise<Entrant[]> {
  const chosen = peers.filter(({ name }) => names.includes(name))
  const entrants = await Promise.all(chosen.map(async (peer) => ({ peer, presence: await peer.find() })))
  for (const { peer, presence } of entrants)
    if (presence.type === 'absent') tell(`${peer.name} is absent: it ${presence.reason}`)
  return entrants
}

async function contend(
  chosen: readonly Scenario[],
  entrants: readonly Entrant[],
  ground: Ground,
  { profile }: BenchOptions,
): Promise<ScenarioFigures[]> {
  const figures: ScenarioFigures[] = []
  for (const scenario of chosen) {
    const sites = await sitesOf(scenario, ground.place)
    const result = await new Contest(scenario, sites, ground).run(entrants)
    figures.push(result)
    if (profile && result.outcomes.get(castellan.name)?.type === 'measured') await leaveProfile(scenario, sites, ground)
  }
  return figures
}

/** The figures stand without it. */
async function leaveProfile(scenario: Scenario, sites: readonly Site[], ground: Ground): Promise<void> {
  try {
    tell(`profile: ${relative('', await profileScenario(scenario, sites, ground))}`)
  } catch (error) {
    tell(`no profile of ${scenario.name}: ${describeError(error)}`)
  }
}

async function sitesOf({ name, siteNames }: Scenario, place: Place): Promise<Site[]> {
  return makeSites(await place.folder(`${name}-sites`), siteNames)
}

async function main(): Promise<number> {
  try {
    const options = parseOptions(process.argv.slice(2), known)
    if (options.help) {
      process.stdout.write(usage(known))
      return 0
    }
    const report = await bench(options)
    process.stdout.write(`\n${formatReport(report)}`)
    if (options.json !== undefined) await writeFile(options.json, reportToJson(report))
    return report.figures.some(({ outcomes }) => [...outcomes.values()].some(({ type }) => type === 'failed')) ? 1 : 0
  } catch (error) {
    if (!(error instanceof CastellanError)) throw error
    tell(`bench: ${describeError(error)}`)
    return error.code === 'options-invalid' ? 2 : 1
  }
}

// What was started, and the temporary folder, are ended at exit.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
process.exit(await main())
