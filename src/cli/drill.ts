import { parseArgs } from 'node:util'
import { durationFormat } from '../config/duration.ts'
import { INTERNAL_ISSUER } from '../config/issuers.ts'
import { loadConfig } from '../config/load.ts'
import { Refusal } from '../config/problem.ts'
import { didYouMean } from '../config/suggestion.ts'
import { rehearse } from '../drill/outage.ts'
import { readRehearsed } from '../drill/stored.ts'
import { FileReader } from '../storage/file-reader.ts'
import { issuerIdentities } from '../supervisor/issuers.ts'
import { siteCertificates } from '../supervisor/site-certificates.ts'
import { systemClock } from '../system/clock.ts'
import { printJson } from './certs/json.ts'
import { commonOptions, mistakeOf } from './config-argument.ts'
import { formatDrill, isWell } from './drill/words.ts'
import { tellFailure } from './failure.ts'

type DrillArguments = {
  readonly config: string
  readonly json: boolean
  readonly downMs: number
  /** Undefined for every ACME CA. */
  readonly ca: string | undefined
}

/** `castellan drill --ca-down 10d`: which names would be without a good certificate, had their CA an outage from now on. */
export async function drill(args: readonly string[]): Promise<number> {
  const given = readArguments(args)
  if (typeof given === 'string') {
    process.stderr.write(
      `castellan: ${given}; usage: castellan drill --ca-down DURATION [--ca NAME] [--config FILE] [--json]\n`,
    )
    return 2
  }
  try {
    return await run(given)
  } catch (error) {
    return tellFailure(error)
  }
}

async function run({ config: file, json, downMs, ca }: DrillArguments): Promise<number> {
  const { config } = await loadConfig({ file, env: process.env })
  const issuers = issuerIdentities(config)
  if (ca !== undefined && !config.issuers.has(ca)) {
    const hint = didYouMean(ca, config.issuers.keys())
    const known = hint ?? `there are ${[...config.issuers.keys()].join(', ')}`
    process.stderr.write(`castellan: the config has no CA called ${JSON.stringify(ca)}; ${known}\n`)
    return 1
  }
  const { wanted, ownFiles } = siteCertificates(config)
  const storage = new FileReader(config.storage.folder)
  const from = systemClock.now()
  const isDown = (issuer: string): boolean => (ca === undefined ? issuer !== INTERNAL_ISSUER : issuer === ca)
  const outage = { from, to: from + downMs, isDown }
  const rehearsed = await readRehearsed({ wanted, issuers, storage, clock: systemClock })
  const fates = rehearsed.map((each) => rehearse(each, outage))
  if (json) {
    const told = fates.map(({ wanted: { id, site, names, keyKind }, ...fate }) => ({
      id,
      site,
      names,
      keyKind,
      ...fate,
    }))
    printJson({ outage: { start: outage.from, end: outage.to, ca }, certificates: told })
  } else process.stdout.write(formatDrill(fates, outage, ownFiles.length))
  return fates.every(isWell) ? 0 : 1
}

function readArguments(args: readonly string[]): DrillArguments | string {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        ...commonOptions,
        'ca-down': { type: 'string' },
        ca: { type: 'string' },
      },
    })
    const { config, json, ca, 'ca-down': down } = values
    if (down === undefined) return '"drill" needs how long the CA is to be down'
    const downMs = durationFormat({ atLeast: '1m', atMost: '3650d' }).read(down)
    if (downMs instanceof Refusal)
      return `--ca-down takes a duration from 1m to 3650d, such as 10d, not ${JSON.stringify(down)}`
    return { config, json, ca, downMs }
  } catch (error) {
    return mistakeOf(error)
  }
}
