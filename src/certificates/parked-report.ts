import type { KeyKind } from '../pki/key-kind.ts'
import { PkiError } from '../pki/pki-error.ts'
import type { StorageReader } from '../storage/storage.ts'
import { keptUntil, recallParked } from './parked.ts'
import { readCertificate } from './record.ts'

/** A stored certificate that no site asks for any more. Times in ms since 1970. */
export type ParkedReport = {
  readonly id: string
  /** None, if it is damaged. */
  readonly names: readonly string[]
  readonly keyKind: KeyKind | undefined
  readonly notAfter: number | undefined
  readonly since: number
  /** When it is archived, unless it then serves in another's place. */
  readonly keptUntil: number
}

/** What is parked, as it was last looked at. Throws StorageError `storage-unreadable`. */
export async function reportParked(storage: StorageReader): Promise<ParkedReport[]> {
  const reports: ParkedReport[] = []
  for (const [id, since] of await recallParked(storage)) {
    const stored = await readCertificate(storage, id).catch((error: unknown) => {
      if (!(error instanceof PkiError)) throw error
      return undefined
    })
    const { names = [], keyKind, notAfter } = stored?.certificate ?? {}
    reports.push({ id, names, keyKind, notAfter, since, keptUntil: keptUntil(since) })
  }
  return reports
}
