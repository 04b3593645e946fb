import { describeError } from '../errors.ts'
import { coversName } from '../pki/certificate.ts'
import { PkiError } from '../pki/pki-error.ts'
import { StorageError, type StorageReader } from '../storage/storage.ts'
import type { Log } from '../telemetry/log.ts'
import { readCertificate, type StoredCertificate, storedCertificateIds } from './record.ts'
import type { WantedCertificate } from './wanted.ts'

/** A stored certificate that was asked for other names, and the wanted ones that it serves meanwhile. */
export type StandIn = { readonly stored: StoredCertificate; readonly names: readonly string[] }

/**
 * What serves for certificates that are wanted but not there, by their ids: when an alias is added or names are grouped
 * otherwise, what is wanted is another certificate, and the former one serves its names until that has come. Only what
 * nothing else wants is looked at, and only if something is missing.
 */
export async function findStandIns(
  storage: StorageReader,
  wanted: readonly WantedCertificate[],
  isThere: (id: string) => boolean,
  { log, now }: { readonly log: Log; readonly now: number },
): Promise<Map<string, StandIn[]>> {
  const missing = wanted.filter(({ id }) => !isThere(id))
  if (missing.length === 0) return new Map()
  const ids = new Set(wanted.map(({ id }) => id))
  const spare = await readAll(storage, (id) => !ids.has(id), log)
  return new Map(missing.map((each) => [each.id, chooseStandIns(each, spare, now)]))
}

/** As few as cover the most, the good ones ahead of those that have expired. */
function chooseStandIns(
  { names, keyKind }: WantedCertificate,
  spare: readonly StoredCertificate[],
  now: number,
): StandIn[] {
  const chosen: StandIn[] = []
  let uncovered = names
  const take = (candidates: readonly StoredCertificate[]): void => {
    for (;;) {
      const best = mostCovering(uncovered, candidates)
      if (best === undefined) return
      chosen.push(best)
      uncovered = uncovered.filter((name) => !best.names.includes(name))
    }
  }
  const ofKind = spare.filter(({ certificate }) => certificate.keyKind === keyKind)
  take(ofKind.filter(({ certificate }) => certificate.notAfter > now))
  take(ofKind)
  return chosen
}

function mostCovering(names: readonly string[], candidates: readonly StoredCertificate[]): StandIn | undefined {
  let best: StandIn | undefined
  for (const stored of candidates) {
    const covered = names.filter((name) => coversName(stored.certificate.names, name))
    const gain = covered.length - (best?.names.length ?? 0)
    const lastsLonger = best !== undefined && stored.certificate.notAfter > best.stored.certificate.notAfter
    if (covered.length > 0 && (gain > 0 || (gain === 0 && lastsLonger))) best = { stored, names: covered }
  }
  return best
}

/** What cannot be read cannot stand in, and keeps nothing from starting. */
async function readAll(
  storage: StorageReader,
  isSpare: (id: string) => boolean,
  log: Log,
): Promise<StoredCertificate[]> {
  const found: StoredCertificate[] = []
  try {
    for (const id of (await storedCertificateIds(storage)).filter(isSpare)) {
      const stored = await readCertificate(storage, id).catch((error) => {
        if (error instanceof PkiError) log.debug('stand-in-unusable', `${id}: ${describeError(error)}`)
        else throw error
      })
      if (stored !== undefined) found.push(stored)
    }
  } catch (error) {
    if (!(error instanceof StorageError)) throw error
    const message = `Former certificates could not be looked at, and do not serve meanwhile: ${describeError(error)}`
    log.warn('stand-ins-unreadable', message)
  }
  return found
}
