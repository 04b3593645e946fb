import { asSentence, CastellanError, describeError } from '../errors.ts'
import type { IssuerIdentity } from '../issuers/issuer.ts'
import { type CertificateChain, checkIssued, coversName, parseChain } from '../pki/certificate.ts'
import { exportPrivateKey, importPrivateKey, isSameKey, publicKeyFingerprint } from '../pki/keys.ts'
import { leafOf } from './leaf.ts'
import { pack } from './packed-certificate.ts'
import { certificateBlocks, keyBlocks, readPemFile } from './pem-file.ts'
import type { StoredCertificate } from './record.ts'
import { checkServable } from './servable.ts'
import type { WantedCertificate } from './wanted.ts'

export type ImportErrorCode =
  /** A file cannot be read, or has no certificate and no key. */
  | 'import-unreadable'
  /** A certificate has no key among the files, or a key no certificate. */
  | 'import-unpaired'
  /** No wanted certificate is like it. */
  | 'import-unwanted'
  /** It cannot be served: expired, a chain out of order, a key that must not be a certificate's. */
  | 'import-unusable'
  /** The same names are being ordered. */
  | 'import-busy'

/** An operator's certificate could not be taken over (`facts.files`). */
export class ImportError extends CastellanError {
  declare readonly code: ImportErrorCode
}

/** A certificate of an operator, and what it takes the place of. */
export type Imported = { readonly wanted: WantedCertificate; readonly stored: StoredCertificate }

export type ImportSurroundings = {
  readonly wanted: readonly WantedCertificate[]
  readonly issuers: ReadonlyMap<string, IssuerIdentity>
  /** See accountKeyFingerprints. */
  readonly accountKeys: ReadonlySet<string>
  readonly now: number
}

type Pair = { readonly file: string; readonly chain: CertificateChain; readonly privateKey: string }

/**
 * Reads certificates with their keys out of PEM files, in whatever files they are, and finds what each is wanted for: it
 * serves then, and is renewed by the first of the issuers. All or nothing. Throws ImportError.
 */
export function readImports(files: readonly string[], surroundings: ImportSurroundings): Imported[] {
  const pairs = readPairs(files)
  return pairs.map((pair) => {
    const wanted = findWanted(pair, surroundings.wanted)
    return { wanted, stored: accept(pair, wanted, surroundings) }
  })
}

function readPairs(files: readonly string[]): Pair[] {
  const texts = files.map((file) => ({ file, text: read(file) }))
  const keys = texts.flatMap(({ file, text }) => keyBlocks(text).map((pem) => ({ file, key: readKey(file, pem) })))
  const chains = texts
    .map(({ file, text }) => ({ file, blocks: certificateBlocks(text) }))
    .filter(({ blocks }) => blocks.length > 0)
    .map(({ file, blocks }) => ({ file, chain: tried(file, () => parseChain(blocks.join('\n'))) }))
  const pairs = chains.map(({ file, chain }) => {
    const own = keys.find(({ key }) => isSameKey(chain[0].publicKey, key))
    if (own === undefined)
      throw unpaired(file, `no file has the private key of its certificate for ${chain[0].names.join(', ')}`)
    return { file, chain, privateKey: exportPrivateKey(own.key) }
  })
  const spare = keys.find(({ key }) => !pairs.some(({ chain }) => isSameKey(chain[0].publicKey, key)))
  if (spare !== undefined) throw unpaired(spare.file, 'no file has a certificate for its private key')
  return pairs
}

function read(file: string): string {
  const text = tried(file, () => readPemFile(file))
  if (certificateBlocks(text).length + keyBlocks(text).length > 0) return text
  throw new ImportError('import-unreadable', `${file} has neither a certificate nor a private key in PEM.`, {
    files: [file],
  })
}

function readKey(file: string, pem: string) {
  return tried(file, () => importPrivateKey(pem))
}

/** Nothing of a file's content is repeated: it may be a key. */
function tried<T>(file: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    const message = `${file} cannot be imported: ${describeError(error)}`
    throw new ImportError('import-unreadable', message, { files: [file] })
  }
}

/** The wanted certificate of its kind of key all names of which it covers. */
function findWanted({ file, chain: [{ names, keyKind }] }: Pair, all: readonly WantedCertificate[]): WantedCertificate {
  const related = all.filter((wanted) => wanted.names.some((name) => coversName(names, name)))
  const covered = related.filter((wanted) => wanted.names.every((name) => coversName(names, name)))
  const [found] = covered.filter((wanted) => wanted.keyKind === keyKind)
  if (found !== undefined) return found
  throw new ImportError(
    'import-unwanted',
    `${file} is not wanted: ${whyUnwanted({ names, keyKind }, related, covered)}.`,
    {
      files: [file],
    },
  )
}

function whyUnwanted(
  { names, keyKind }: { readonly names: readonly string[]; readonly keyKind: string | undefined },
  related: readonly WantedCertificate[],
  covered: readonly WantedCertificate[],
): string {
  const [near] = related
  if (near === undefined) return `no site has ${names.join(' or ')}`
  if (covered.length > 0) {
    const kinds = covered.map((wanted) => wanted.keyKind)
    return `its key is ${keyKind ?? 'of a kind that Castellan does not make'}, and ${near.site} is to have ${kinds.join(', ')} ("certificate.keys")`
  }
  const missing = near.names.filter((name) => !coversName(names, name))
  return `${near.site} has one certificate for ${near.names.join(', ')}, and this lacks ${missing.join(', ')}`
}

function accept(
  { file, chain, privateKey }: Pair,
  wanted: WantedCertificate,
  around: ImportSurroundings,
): StoredCertificate {
  const { issuers, accountKeys, now } = around
  const [certificate] = chain
  const { names, mustStaple } = wanted
  const issuer = wanted.issuers[0]!
  try {
    const key = importPrivateKey(privateKey)
    checkIssued(chain, { privateKey: key, names, now })
    checkServable(chain, privateKey)
    // RFC 8555 §11.1: whoever can misuse one key must not have the other.
    if (accountKeys.has(publicKeyFingerprint(certificate.publicKey)))
      throw new ImportError('import-unusable', 'its key is that of an ACME account, and must not be a certificate’s')
    const origin = { issuer, authority: issuers.get(issuer)!.authority, obtainedAt: certificate.notBefore }
    return {
      names,
      mustStaple,
      replacesRevoked: false,
      ...origin,
      certificate: leafOf(certificate),
      packed: pack(chain, key),
    }
  } catch (error) {
    if (!(error instanceof CastellanError)) throw error
    const message = `${file} cannot be used for ${wanted.site}: ${asSentence(describeError(error))}`
    throw new ImportError('import-unusable', message, { files: [file] })
  }
}

/** Its successor would overwrite it, or be overwritten by it. */
export function importBusy({ site }: WantedCertificate): ImportError {
  const message = `The certificate of ${site} is being ordered at this moment: try again when that has ended.`
  return new ImportError('import-busy', message, { site })
}

function unpaired(file: string, fault: string): ImportError {
  return new ImportError('import-unpaired', `${file} cannot be imported: ${fault}.`, { files: [file] })
}
