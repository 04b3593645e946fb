import { askProgram } from '../../admin/client.ts'
import { type Imported, readImports } from '../../certificates/import.ts'
import { VAST } from '../../certificates/place.ts'
import { storeCertificate } from '../../certificates/record.ts'
import { loadConfig } from '../../config/load.ts'
import { accountKeyFingerprints } from '../../issuers/stored-accounts.ts'
import { openFileStorage } from '../../storage/file.ts'
import { issuerIdentities } from '../../supervisor/issuers.ts'
import { siteCertificates } from '../../supervisor/site-certificates.ts'
import { systemClock } from '../../system/clock.ts'
import { escapeControls } from '../../telemetry/line-log.ts'
import { silentLog } from '../../telemetry/log.ts'
import type { CertsArguments } from './arguments.ts'
import { printJson } from './json.ts'
import { formatOutcome, tellOutcomes } from './order.ts'

type Outcome = Parameters<typeof formatOutcome>[0]

/**
 * `castellan certs import FILE…`: takes over certificates with their keys. The program that runs reads the files itself and
 * serves them at once, as no key goes over its socket; where none runs, they are put into the storage.
 */
export async function importFiles({ config: file, json, files }: CertsArguments): Promise<number> {
  const { config } = await loadConfig({ file, env: process.env })
  const request = { ask: 'import', files } as const
  const replies = await askProgram(config.storage.folder, request, systemClock)
  if (replies !== undefined) return tellOutcomes(replies, json, request.ask)
  const storage = await openFileStorage({
    folder: config.storage.folder,
    vast: VAST,
    log: silentLog,
    clock: systemClock,
  })
  try {
    const { wanted } = siteCertificates(config)
    const accountKeys = await accountKeyFingerprints(storage)
    const surroundings = { wanted, issuers: issuerIdentities(config), accountKeys, now: systemClock.now() }
    const imports = readImports(files, surroundings)
    for (const { wanted, stored } of imports) await storeCertificate(storage, wanted.id, stored)
    print(imports.map(outcomeOf), json)
    return 0
  } finally {
    await storage.close()
  }
}

function outcomeOf({ wanted: { id, names, keyKind, issuers }, stored: { certificate } }: Imported): Outcome {
  const outcome = { status: 'obtained', issuer: issuers[0]!, notAfter: certificate.notAfter } as const
  return { type: 'outcome', certificate: { id, names, keyKind, left: [] }, outcome }
}

function print(outcomes: readonly Outcome[], json: boolean): void {
  if (json) printJson({ outcomes: outcomes.map(({ certificate, outcome }) => ({ ...certificate, ...outcome })) })
  else for (const each of outcomes) process.stdout.write(`${escapeControls(formatOutcome(each, 'import'))}\n`)
}
