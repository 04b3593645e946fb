import { askProgram } from '../../admin/client.ts'
import { countAtRest, type OnDemandCounts, reportAtRest } from '../../certificates/on-demand/at-rest.ts'
import type { CertificateReport } from '../../certificates/report.ts'
import { selectByName, UnknownCertificateError } from '../../certificates/selection.ts'
import { reportStored } from '../../certificates/stored-report.ts'
import type { Config } from '../../config/config.ts'
import { loadConfig } from '../../config/load.ts'
import { FileReader } from '../../storage/file-reader.ts'
import { issuerIdentities, limitsOf } from '../../supervisor/issuers.ts'
import { onDemandSite, siteCertificates } from '../../supervisor/site-certificates.ts'
import { systemClock } from '../../system/clock.ts'
import { escapeControls } from '../../telemetry/line-log.ts'

/** What there is to see, and whether a program runs that has told it. */
export type Sight = {
  readonly isRunning: boolean
  readonly storageFolder: string
  readonly config: Config
  readonly reports: readonly CertificateReport[]
  /** Of all of them; undefined where no name is issued on demand, or one is looked at. */
  readonly onDemand: OnDemandCounts | undefined
}

/**
 * Looks at all certificates in short, or whole at those that a name means: as the program that runs has them, else as they
 * are stored, which is then said on standard error. Throws CastellanError.
 */
export async function look(configFile: string, name?: string): Promise<Sight> {
  const { config } = await loadConfig({ file: configFile, env: process.env })
  const sight = await lookIn(config, name)
  if (!sight.isRunning) process.stderr.write(`${noneRuns(sight.storageFolder)}: this is what the storage holds.\n`)
  return sight
}

/** The same for a config that has been read, and nothing is said. Throws CastellanError. */
export async function lookIn(config: Config, name?: string): Promise<Sight> {
  const storageFolder = config.storage.folder
  const told = await tell(storageFolder, name)
  if (told !== undefined) return { isRunning: true, storageFolder, config, ...told }
  return { isRunning: false, storageFolder, config, ...(await read(config, name)) }
}

/** The beginning of a sentence. */
export function noneRuns(storageFolder: string): string {
  return `No Castellan is running with the storage ${escapeControls(storageFolder)}`
}

type Seen = Pick<Sight, 'reports' | 'onDemand'>

async function tell(folder: string, name: string | undefined): Promise<Seen | undefined> {
  const replies = await askProgram(folder, { ask: 'report', name }, systemClock)
  if (replies === undefined) return undefined
  const reports: CertificateReport[] = []
  let onDemand: OnDemandCounts | undefined
  for await (const reply of replies) {
    if (reply.type === 'certificate') reports.push(reply.report)
    if (reply.type === 'on-demand') onDemand = reply.counts
  }
  return { reports, onDemand }
}

async function read(config: Config, name: string | undefined): Promise<Seen> {
  const storage = new FileReader(config.storage.folder)
  const options = {
    issuers: issuerIdentities(config),
    limitsOf: limitsOf(config),
    storage,
    clock: systemClock,
    isFull: name !== undefined,
  }
  const reports = await reportStored({ ...siteCertificates(config), ...options })
  const others = config.sites.find((site) => site.onDemand !== undefined)
  if (name === undefined) return { reports, onDemand: others && (await countAtRest(storage)) }
  try {
    return { reports: selectByName(reports, name), onDemand: undefined }
  } catch (error) {
    const atRest = others === undefined ? [] : await reportAtRest(name, { ...options, site: onDemandSite(others) })
    if (!(error instanceof UnknownCertificateError) || atRest.length === 0) throw error
    return { reports: atRest, onDemand: undefined }
  }
}
