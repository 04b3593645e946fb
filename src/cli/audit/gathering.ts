import { createHash, type KeyObject } from 'node:crypto'
import { stat, statfs } from 'node:fs/promises'
import type { AuditedAccount, AuditedCertificate, AuditedSite, AuditedStorage, AuditFacts } from '../../audit/facts.ts'
import { unpackChain } from '../../certificates/packed-certificate.ts'
import { readCertificate } from '../../certificates/record.ts'
import type { CertificateReport } from '../../certificates/report.ts'
import { STAPLES } from '../../certificates/staple-answer.ts'
import { recallSuggestion } from '../../certificates/suggestions.ts'
import type { Config, Site } from '../../config/config.ts'
import { issuersFor } from '../../config/issuers.ts'
import { loadConfig } from '../../config/load.ts'
import { errorCode } from '../../errors.ts'
import { readAccount } from '../../issuers/acme-account.ts'
import { PkiError } from '../../pki/pki-error.ts'
import { FileReader } from '../../storage/file-reader.ts'
import type { StorageReader } from '../../storage/storage.ts'
import type { Clock } from '../../system/clock.ts'
import { lookIn } from '../certs/looking.ts'
import { lookAtLimits } from '../limits.ts'

/** From the config, the storage and the program that runs, if one does. Throws CastellanError. */
export async function gatherFacts(file: string, clock: Clock): Promise<AuditFacts> {
  const { config } = await loadConfig({ file, env: process.env })
  const { isRunning, reports, onDemand } = await lookIn(config)
  const storage = new FileReader(config.storage.folder)
  const staples = new Set(await storage.list(STAPLES))
  const certificates: AuditedCertificate[] = []
  for (const report of reports) certificates.push(await auditedCertificate(report, storage, staples))
  return {
    now: clock.now(),
    isRunning,
    // What is issued on demand is nobody's until a client comes.
    sites: config.sites.filter(({ onDemand }) => onDemand === undefined).map(auditedSite),
    listen: config.listen,
    acceptTerms: config.acceptTerms,
    logLevel: config.log.level,
    certificates,
    accounts: await auditedAccounts(config, storage),
    storage: await auditedStorage(config.storage.folder),
    balances: (await lookAtLimits(config)).balances,
    onDemand,
  }
}

function auditedSite({ name, names, redirectToHttps, hsts, keys, grouping, files, issuers }: Site): AuditedSite {
  const isOwn = files.length > 0
  const asked = isOwn ? [] : [...new Set(names.flatMap((each) => issuersFor(each, issuers)))]
  return { name, redirectToHttps, hsts, keys, grouping, isOwn, issuers: asked }
}

async function auditedCertificate(
  report: CertificateReport,
  storage: StorageReader,
  staples: ReadonlySet<string>,
): Promise<AuditedCertificate> {
  const hasStaple = staples.has(`${STAPLES}/${report.held?.fingerprint}`)
  const none = { report, hasStaple, renewalInfoAskAt: undefined, hasResponder: false, keyDigest: undefined }
  if (report.issuers.length === 0 || report.held === undefined) return none
  const stored = await readCertificate(storage, report.id).catch((error: unknown) => {
    // The report says that it is damaged.
    if (!(error instanceof PkiError)) throw error
  })
  if (stored === undefined) return none
  const suggestion = await recallSuggestion(storage, report.id)
  const isItsOwn = suggestion?.fingerprint === report.held.fingerprint && suggestion.window !== undefined
  return {
    report,
    hasStaple,
    renewalInfoAskAt: isItsOwn ? suggestion.askAt : undefined,
    hasResponder: stored.certificate.ocspUrl !== undefined,
    keyDigest: digestOf(unpackChain(stored.packed)[0].publicKey),
  }
}

async function auditedAccounts({ issuers }: Config, storage: StorageReader): Promise<AuditedAccount[]> {
  const found: AuditedAccount[] = []
  for (const { name, directory } of issuers.values()) {
    const places = await storage.list(`issuers/${name}`)
    for (const place of places.filter((each) => /\/account(?:$|s\/)/.test(each))) {
      const account = await readAccount(storage, place, directory)
      if (account !== undefined) found.push({ issuer: name, url: account.url, keyDigest: digestOf(account.publicKey) })
    }
  }
  return found
}

function digestOf(publicKey: KeyObject): string {
  return createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex')
}

/** By the number of the file system (statfs(2)). */
const VOLATILE = new Map([
  [0x01021994, 'in memory (tmpfs), and goes with a restart'],
  [0x858458f6, 'in memory (ramfs), and goes with a restart'],
  [0x794c7630, 'in the layer of a container (overlay), and goes with it: mount a volume there'],
])

async function auditedStorage(folder: string): Promise<AuditedStorage> {
  try {
    const mode = (await stat(folder)).mode & 0o777
    return { folder, exists: true, mode, volatile: VOLATILE.get((await statfs(folder)).type) }
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error
    return { folder, exists: false, mode: 0, volatile: undefined }
  }
}
