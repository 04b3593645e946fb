import { copyFile, mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { BenchError } from './bench-error.ts'
import { type Ground, startServer } from './contest.ts'
import { castellan } from './peers/castellan.ts'
import type { Scenario } from './scenarios/scenario.ts'
import type { Site } from './site.ts'

const FOLDER = join(import.meta.dirname, 'profiles')

/**
 * Runs a scenario once more with V8's sampling profiler on, and leaves what the worker did, from its start to its end, in
 * a file for a browser's developer tools. Not during the rounds, for sampling costs time. Gives the path.
 */
export async function profileScenario(scenario: Scenario, sites: readonly Site[], ground: Ground): Promise<string> {
  const folder = await ground.place.folder(`${scenario.name}-profile`)
  const env = { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${folder}` }
  const server = await startServer(castellan, scenario, sites, ground, env)
  const [, worker] = server.pids
  try {
    await scenario.measure(server, ground.seconds)
  } finally {
    await server.stop()
  }
  // CPU.DATE.TIME.PID.THREAD.COUNT.cpuprofile
  const name = (await readdir(folder)).find((file) => file.split('.')[3] === String(worker))
  if (name === undefined) throw new BenchError('program-ended', `the worker of ${scenario.name} left no profile`)
  await mkdir(FOLDER, { recursive: true })
  const path = join(FOLDER, `${scenario.name}.cpuprofile`)
  await copyFile(join(folder, name), path)
  return path
}
