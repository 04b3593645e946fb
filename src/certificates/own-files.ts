import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { asSentence, describeError, type Facts } from '../errors.ts'
import { coversName, parseChain } from '../pki/certificate.ts'
import { importPrivateKey, isSameKey, publicKeyFingerprint } from '../pki/keys.ts'
import { PkiError } from '../pki/pki-error.ts'
import type { Clock } from '../system/clock.ts'
import type { Log } from '../telemetry/log.ts'
import { type Attention, noAttention, type OwnFault } from './attention.ts'
import { type Leaf, leafOf } from './leaf.ts'
import { type PackedCertificate, pack, SharedIssuers, unpackChain } from './packed-certificate.ts'
import { certificateBlocks, readPemFile } from './pem-file.ts'
import { type CertificateReport, heldReport } from './report.ts'
import { checkServable } from './servable.ts'
import { spokenTime } from './spoken-time.ts'
import type { ServableCertificate } from './state.ts'

/** The certificates that an operator brings for a site: paths of PEM files. */
export type OwnFiles = {
  readonly site: string
  readonly names: readonly string[]
  readonly files: readonly { readonly certificate: string; readonly key: string }[]
}

type Site = { readonly site: string; readonly names: readonly string[]; readonly pairs: readonly Pair[] }

type Pair = {
  readonly certificate: string
  readonly key: string
  /** Of the files whose content was last found good or wrong. */
  version: string
  /** What was last said of why they cannot be read, until they can. */
  fault: string | undefined
  /** Why they cannot be used as they are now. */
  problem: string | undefined
  /** Names of the site that neither this nor any other pair covers. */
  missing: readonly string[]
  /** How it was last told to stand with them. */
  minded: string
  content: Content | undefined
}

/** What is in a pair of files that belong together. What else there is to say of it is read when it is asked for. */
type Content = {
  readonly packed: PackedCertificate
  readonly leaf: Pick<
    Leaf,
    'names' | 'keyKind' | 'key' | 'notBefore' | 'notAfter' | 'fingerprint' | 'ocspUrl' | 'mustStaple'
  >
}

type UsablePair = Pair & { content: Content }

/** Reading is mostly waiting for the disk; each needs two descriptors at the most. */
const SITES_AT_A_TIME = 32

/** Of its lifetime: whoever renews by a timer does so at a third, and would have done it before this. */
const ENDING = 1 / 4
/** Of a certificate for years, a quarter is longer than anybody plans ahead. */
const MAX_ENDING_MS = 30 * 24 * 60 * 60 * 1000

/** The operator's own certificates, read again whenever their files change. */
export class OwnCertificates {
  readonly #sites: readonly Site[]
  readonly #issuers = new SharedIssuers()
  readonly #clock: Clock
  readonly #log: Log
  readonly #attention: Attention
  readonly #accountKeys: () => ReadonlySet<string>

  /**
   * @param accountKeys fingerprints of keys that no certificate may have.
   * @param former whose sites that are the same now need not be read again.
   */
  constructor(
    sites: readonly OwnFiles[],
    clock: Clock,
    log: Log,
    attention: Attention = noAttention,
    accountKeys: () => ReadonlySet<string> = () => new Set(),
    former?: OwnCertificates,
  ) {
    this.#accountKeys = accountKeys
    const known = new Map((former === undefined ? [] : former.#sites).map((site) => [siteKey(site), site]))
    this.#sites = sites.map(
      (site) => known.get(siteKey({ ...site, pairs: site.files })) ?? { ...site, pairs: site.files.map(pairOf) },
    )
    this.#clock = clock
    this.#log = log
    this.#attention = attention
  }

  get isEmpty(): boolean {
    return this.#sites.every(({ pairs }) => pairs.length === 0)
  }

  /** Those that can be served. */
  get held(): ServableCertificate[] {
    return this.#sites.flatMap((site) => usable(site).map((pair) => toHeld(site, pair)))
  }

  /** The names of the sites of which no files can be used. */
  get waiting(): { names: readonly string[]; reason: string }[] {
    return this.#sites
      .filter((site) => site.pairs.length > 0 && usable(site).length === 0)
      .map(({ names, pairs }) => {
        const files = pairs.map(({ certificate, key }) => `${certificate} and ${key}`).join(', ')
        return { names, reason: `the files ${files} must be put right` }
      })
  }

  /** Each pair of files, as it can be selected, and its whole report. */
  get known(): (Pick<CertificateReport, 'id' | 'names' | 'keyKind'> & { report: () => CertificateReport })[] {
    return this.#sites.flatMap((site) =>
      site.pairs.map((pair) => ({ ...identityOf(site, pair), report: () => reportOf(site, pair, true) })),
    )
  }

  /** How it stands with each pair of files. @param isFull with the chains. */
  report(isFull: boolean): CertificateReport[] {
    return this.#sites.flatMap((site) => site.pairs.map((pair) => reportOf(site, pair, isFull)))
  }

  /** Reads those whose files have changed, and says whether anything else is held now. Never rejects. */
  async refresh(): Promise<boolean> {
    let hasChanged = false
    for (let at = 0; at < this.#sites.length; at += SITES_AT_A_TIME) {
      const some = this.#sites.slice(at, at + SITES_AT_A_TIME)
      const changes = await Promise.all(some.map((site) => this.#refreshSite(site)))
      hasChanged ||= changes.includes(true)
    }
    return hasChanged
  }

  async #refreshSite(site: Site): Promise<boolean> {
    const changed: UsablePair[] = []
    for (const pair of site.pairs) if (await this.#refreshPair(site, pair)) changed.push(pair as UsablePair)
    if (changed.length > 0) noteMissing(site)
    // Once all are read: what one of them lacks, another may have.
    for (const pair of changed) this.#remark(site, pair)
    for (const pair of site.pairs) this.#mind(site, pair)
    return changed.length > 0
  }

  /** Tells how it stands with them whenever that is another thing than before, as time alone can make it. */
  #mind(site: Site, pair: Pair): void {
    const fault = this.#faultOf(pair)
    const minded = fault === undefined ? 'well' : `${fault.type} ${'reason' in fault ? fault.reason : ''}`
    if (minded === pair.minded) return
    pair.minded = minded
    this.#attention.ownFiles({ site: site.site, names: site.names, certificate: pair.certificate }, fault)
  }

  #faultOf({ problem, content, missing }: Pair): OwnFault | undefined {
    const now = this.#clock.now()
    if (problem !== undefined) return { type: 'unusable', reason: problem, servingUntil: content?.leaf.notAfter }
    if (content === undefined) return undefined
    const { notBefore, notAfter } = content.leaf
    if (now >= notAfter - Math.min((notAfter - notBefore) * ENDING, MAX_ENDING_MS)) return { type: 'ending', notAfter }
    return missing.length > 0 ? { type: 'lacks-names', missing } : undefined
  }

  async #refreshPair(site: Site, pair: Pair): Promise<boolean> {
    const version = await versionOf(pair)
    if (version === pair.version) {
      pair.fault = undefined
      return false
    }
    try {
      const content = readPair(pair)
      const hasChanged = !isSameChain(content.packed, pair.content?.packed)
      pair.version = version
      pair.content = { ...content, packed: this.#issuers.share(content.packed) }
      pair.fault = undefined
      pair.problem = undefined
      return hasChanged
    } catch (error) {
      pair.problem = describeError(error)
      if (error instanceof PkiError) this.#sayWrong(site, pair, version, error)
      else this.#sayUnreadable(site, pair, error)
      return false
    }
  }

  /** Half-written as likely as wrong: the next version is read again, and this one never. */
  #sayWrong({ site }: Site, pair: Pair, version: string, error: PkiError): void {
    const end = 'the files are put right; they are read again when they change'
    pair.version = version
    pair.fault = undefined
    this.#log.error('own-certificate-unusable', complaint(site, pair, error, end), factsOf(site, pair))
  }

  /** Too many open files, a folder that is not mounted: what ends without a change of the files. Said once, tried on. */
  #sayUnreadable({ site }: Site, pair: Pair, error: unknown): void {
    const message = complaint(site, pair, error, 'they can be read, which is tried every few seconds')
    if (message === pair.fault) return
    pair.fault = message
    this.#log.error('own-certificate-unusable', message, factsOf(site, pair))
  }

  #remark({ site }: Site, { certificate, missing, content: { leaf, packed } }: UsablePair): void {
    const notAfter = spokenTime(leaf.notAfter)
    const facts = { site, certificate, notAfter }
    this.#log.info('own-certificate-loaded', `${certificate} serves ${site} until ${notAfter}.`, facts)
    if (leaf.notAfter < this.#clock.now()) {
      const message = `${certificate} expired at ${notAfter}, and clients of ${site} refuse it: put a new one in its place.`
      this.#log.error('own-certificate-expired', message, facts)
    }
    const accountKeys = this.#accountKeys()
    if (accountKeys.size > 0 && accountKeys.has(publicKeyFingerprint(unpackChain(packed)[0].publicKey))) {
      const message = `The key of ${certificate} is that of an ACME account, which must never be a certificate’s (RFC 8555 §11.1): get one with another key, or give the account one by "castellan account rollover".`
      this.#log.error('account-key-reused', message, facts)
    }
    if (missing.length > 0) {
      const message = `${certificate} does not cover ${missing.join(', ')}: clients refuse it there.`
      this.#log.warn('own-certificate-lacks-names', message, { site, certificate, missing })
    }
  }
}

function siteKey({ site, names, pairs }: Pick<Site, 'site' | 'names'> & { readonly pairs: OwnFiles['files'] }): string {
  return JSON.stringify([site, names, pairs.map(({ certificate, key }) => [certificate, key])])
}

/** Not by a spread: V8 gives the fields of such objects a room of its own. */
function pairOf({ certificate, key }: OwnFiles['files'][number]): Pair {
  return {
    certificate,
    key,
    version: '',
    fault: undefined,
    problem: undefined,
    missing: NONE,
    minded: '',
    content: undefined,
  }
}

/** One for all that lack nothing, of which there are thousands. */
const NONE: readonly string[] = []

function noteMissing({ names, pairs }: Site): void {
  const missing = names.filter((name) => !pairs.some((pair) => covers(pair, name)))
  for (const pair of pairs) pair.missing = missing.length === 0 ? NONE : missing
}

/** Of the whole chain: an intermediate that is added later changes no more than that. */
function isSameChain(one: PackedCertificate, other: PackedCertificate | undefined): boolean {
  return one.leaf === other?.leaf && one.issuers.join() === other.issuers.join()
}

function identityOf(
  { names }: Site,
  { certificate, content }: Pair,
): Pick<CertificateReport, 'id' | 'names' | 'keyKind'> {
  return { id: certificate, names, keyKind: content?.leaf.keyKind }
}

function reportOf(site: Site, pair: Pair, isFull: boolean): CertificateReport {
  const { certificate, key, content, problem } = pair
  const chain = content && unpackChain(content.packed)
  return {
    ...identityOf(site, pair),
    site: site.site,
    issuers: [],
    held: chain && heldReport(leafOf(chain[0]), isFull ? chain : undefined),
    step: { type: 'watch', certificate, key },
    orderedSince: undefined,
    attempts: undefined,
    outage: undefined,
    suggestion: undefined,
    standIns: [],
    leftOut: [],
    fault: problem,
  }
}

function complaint(site: string, { certificate, key, content }: Pair, error: unknown, end: string): string {
  const serving = content === undefined ? 'There is none to serve for it' : 'The former one serves on'
  return `${certificate} and ${key} cannot be used for ${site}: ${asSentence(describeError(error))} ${serving} until ${end}.`
}

function factsOf(site: string, { certificate, key }: Pair): Facts {
  return { site, certificate, key }
}

function usable({ pairs }: Site): UsablePair[] {
  return pairs.filter((pair): pair is UsablePair => pair.content !== undefined)
}

function covers({ content }: Pair, name: string): boolean {
  return content !== undefined && coversName(content.leaf.names, name)
}

/**
 * Serves the names that it is good for, and those for which no file is good: a certificate that clients complain of tells
 * an operator more than none.
 */
function toHeld({ site, names, pairs }: Site, { content }: UsablePair): ServableCertificate {
  const { packed, leaf } = content
  const isServed = (name: string): boolean => coversName(leaf.names, name) || !pairs.some((pair) => covers(pair, name))
  const served = names.every(isServed) ? names : names.filter(isServed)
  // With the names: a change of another pair can change which of them are served from this one.
  const id = sha256(JSON.stringify([leaf.fingerprint, packed.issuers, site, served]))
  return { id, names: served, packed, certificate: leaf, ownership: 'own' }
}

/** Changes when either file does; the same for two files that are not there. */
async function versionOf({ certificate, key }: Pair): Promise<string> {
  const versions = await Promise.all(
    [certificate, key].map(async (path) => {
      try {
        const { mtimeMs, ctimeMs, size, ino } = await stat(path)
        return `${mtimeMs} ${ctimeMs} ${size} ${ino}`
      } catch (error) {
        return describeError(error)
      }
    }),
  )
  return sha256(versions.join('\n'))
}

function readPair({ certificate, key }: Pair): Content {
  const certificates = parseChain(certificateBlocks(readPemFile(certificate)).join('\n'))
  const [leaf] = certificates
  const pem = readPemFile(key)
  const privateKey = importPrivateKey(pem)
  if (!isSameKey(leaf.publicKey, privateKey))
    throw new PkiError('certificate-key-mismatch', 'The key is not that of the certificate.')
  checkServable(certificates, pem)
  const { names, keyKind, key: kind, notBefore, notAfter, fingerprint, ocspUrl, mustStaple } = leafOf(leaf)
  const kept = { names, keyKind, key: kind, notBefore, notAfter, fingerprint, ocspUrl, mustStaple }
  return { packed: pack(certificates, privateKey), leaf: kept }
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}
