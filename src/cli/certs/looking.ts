import { askProgram } from '../../admin/client.ts'
import type { CertificateReport } from '../../certificates/report.ts'
import { selectByName } from '../../certificates/selection.ts'
import { reportStored } from '../../certificates/stored-report.ts'
import type { Config } from '../../config/config.ts'
import { loadConfig } from '../../config/load.ts'
import { FileReader } from '../../storage/file-reader.ts'
import { issuerIdentities, limitsOf } from '../../supervisor/issuers.ts'
import { siteCertificates } from '../../supervisor/site-certificates.ts'
import { systemClock } from '../../system/clock.ts'
import { escapeControls } from '../../telemetry/line-log.ts'

/** What there is to see, and whether a program runs that has told it. */
export type Sight = {
  readonly isRunning: boolean
  readonly storageFolder: string
  readonly reports: readonly CertificateReport[]
}

/**
 * Looks at all certificates in short, or whole at those that a name means: as the program that runs has them, else as they
 * are stored, which is then said on standard error. Throws CastellanError.
 */
export async function look(configFile: string, name?: string): Promise<Sight> {
  const { config } = await loadConfig({ file: configFile, env: process.env })
  const storageFolder = config.storage.folder
  const told = await tell(storageFolder, name)
  if (told !== undefined) return { isRunning: true, storageFolder, reports: told }
  const reports = await readReports(config, name)
  process.stderr.write(`${noneRuns(storageFolder)}: this is what the storage holds.\n`)
  return { isRunning: false, storageFolder, reports }
}

/** The beginning of a sentence. */
export function noneRuns(storageFolder: string): string {
  return `No Castellan is running with the storage ${escapeControls(storageFolder)}`
}

async function tell(folder: string, name: string | undefined): Promise<CertificateReport[] | undefined> {
  const replies = await askProgram(folder, { ask: 'report', name }, systemClock)
  if (replies === undefined) return undefined
  const reports: CertificateReport[] = []
  for await (const reply of replies) if (reply.type === 'certificate') reports.push(reply.report)
  return reports
}

async function readReports(config: Config, name: string | undefined): Promise<CertificateReport[]> {
  const reports = await reportStored({
    ...siteCertificates(config),
    issuers: issuerIdentities(config),
    limitsOf: limitsOf(config),
    storage: new FileReader(config.storage.folder),
    clock: systemClock,
    isFull: name !== undefined,
  })
  return name === undefined ? reports : selectByName(reports, name)
}
