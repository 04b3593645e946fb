import type { RevocationReason } from '../../acme/revocation.ts'
import { canonicalName } from '../../pki/subject-names.ts'
import type { StorageReader } from '../../storage/storage.ts'
import type { Certificates } from '../renewal.ts'
import type { CertificateReport } from '../report.ts'
import { UnknownCertificateError } from '../selection.ts'
import { reportStored, type StoredReportOptions } from '../stored-report.ts'
import type { Asked, Selection } from '../wish.ts'
import type { OnDemand } from './on-demand.ts'
import { countNames, readName } from './registry.ts'
import { type OnDemandSite, wantedOnDemand } from './wanted.ts'

/** How many names on demand there are; and in memory, where a program runs. */
export type OnDemandCounts = { readonly names: number; readonly inUse: number | undefined }

/** What an operator can see and do, with names on demand that are at rest, too. */
export type OperatedCertificates = Pick<Certificates, 'spread' | 'limits' | 'import'> & {
  readonly report: (name?: string) => Promise<CertificateReport[]>
  readonly retry: (selection: Selection) => Promise<Asked[]>
  readonly renew: (name: string) => Promise<Asked[]>
  readonly revoke: (name: string, reason: RevocationReason) => Promise<Asked[]>
  /** undefined where no name is issued on demand. */
  readonly countOnDemand: () => Promise<OnDemandCounts | undefined>
}

type AtRest = Omit<StoredReportOptions, 'wanted' | 'ownFiles' | 'isFull'> & { readonly site: OnDemandSite }

/** The certificates of a running program; `onDemand` is undefined where no name is. */
export function withNamesAtRest(
  certificates: Pick<Certificates, 'report' | 'retry' | 'renew' | 'revoke' | 'import' | 'spread' | 'limits'>,
  onDemand: (AtRest & { readonly names: Pick<OnDemand, 'inUse' | 'open'> }) | undefined,
): OperatedCertificates {
  const opening = async <T>(name: string, act: () => Promise<T>): Promise<T> => {
    if (onDemand === undefined) return act()
    return act().catch(async (error) => {
      if (!(error instanceof UnknownCertificateError)) throw error
      await onDemand.names.open(canonicalName(name))
      return act()
    })
  }
  return {
    async report(name) {
      try {
        return certificates.report(name)
      } catch (error) {
        const atRest = onDemand && name !== undefined ? await reportAtRest(name, onDemand) : []
        if (!(error instanceof UnknownCertificateError) || atRest.length === 0) throw error
        return atRest
      }
    },
    retry: (selection) =>
      selection === 'all'
        ? certificates.retry(selection)
        : opening(selection.name, () => certificates.retry(selection)),
    renew: (name) => opening(name, () => certificates.renew(name)),
    revoke: (name, reason) => opening(name, () => certificates.revoke(name, reason)),
    import: (files) => certificates.import(files),
    spread: () => certificates.spread(),
    get limits() {
      return certificates.limits
    },
    countOnDemand: async () => onDemand && { ...(await countAtRest(onDemand.storage)), inUse: onDemand.names.inUse },
  }
}

/** How it stands with a name that was let in once, as the storage has it; empty if it was not. Throws StorageError. */
export async function reportAtRest(text: string, { site, ...options }: AtRest): Promise<CertificateReport[]> {
  const name = canonicalName(text)
  if ((await readName(options.storage, name)) === undefined) return []
  return reportStored({ ...options, wanted: wantedOnDemand(name, site), ownFiles: [], isFull: true })
}

export async function countAtRest(storage: StorageReader): Promise<OnDemandCounts> {
  return { names: await countNames(storage), inUse: undefined }
}
