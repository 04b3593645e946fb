import { loadConfig } from '../config/load.ts'
import type { LoadReport } from '../config/load-apart.ts'
import { ConfigError } from '../config/problem.ts'

/**
 * `castellan load-config CONFIG [thoroughly]`: what `run` starts to read its config. By hand it says so, and what to use
 * instead.
 */
export async function loadConfigForParent([file, how]: readonly string[]): Promise<number> {
  const send = process.send?.bind(process)
  if (send === undefined || file === undefined) {
    process.stderr.write(
      'castellan: "load-config" is started by "castellan run"; "castellan validate" checks a config\n',
    )
    return 2
  }
  const report = await reportOn(file, how === 'thoroughly')
  await new Promise((resolve) => send(report, resolve))
  process.disconnect?.()
  return 0
}

async function reportOn(file: string, isThorough: boolean): Promise<LoadReport> {
  try {
    return { loaded: await loadConfig({ file, env: process.env, isThorough }) }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return { file, problems: error.problems, sources: error.sources }
  }
}
