import { readFile, stat } from 'node:fs/promises'
import { describeError } from '../errors.ts'
import { coversName, parseChain } from '../pki/certificate.ts'
import { importPrivateKey, isSameKey } from '../pki/keys.ts'
import { PkiError } from '../pki/pki-error.ts'
import type { Clock } from '../system/clock.ts'
import type { Log } from '../telemetry/log.ts'
import { spokenTime } from './spoken-time.ts'
import type { HeldCertificate } from './state.ts'

/** The certificates that an operator brings for a site: paths of PEM files. */
export type OwnFiles = {
  readonly site: string
  readonly names: readonly string[]
  readonly files: readonly { readonly certificate: string; readonly key: string }[]
}

type Pair = {
  readonly site: string
  readonly names: readonly string[]
  readonly certificate: string
  readonly key: string
  /** Of the files as they were last read. */
  version: string
  held: HeldCertificate | undefined
}

const CERTIFICATE_BLOCK = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g

/** The operator's own certificates, read again whenever their files change. */
export class OwnCertificates {
  readonly #pairs: readonly Pair[]
  readonly #clock: Clock
  readonly #log: Log

  constructor(sites: readonly OwnFiles[], clock: Clock, log: Log) {
    this.#pairs = sites.flatMap(({ site, names, files }) =>
      files.map((file) => ({ site, names, ...file, version: '', held: undefined })),
    )
    this.#clock = clock
    this.#log = log
  }

  get isEmpty(): boolean {
    return this.#pairs.length === 0
  }

  /** Those that can be served. */
  get held(): HeldCertificate[] {
    return this.#pairs.flatMap(({ held }) => (held === undefined ? [] : [held]))
  }

  /** The sites' names for which no file can be used. */
  get waiting(): { names: readonly string[]; reason: string }[] {
    const served = new Set(this.held.flatMap(({ names }) => names))
    return this.#pairs
      .filter(({ names }) => names.some((name) => !served.has(name)))
      .map(({ names, certificate }) => ({ names, reason: `the file ${certificate} and its key must be put right` }))
  }

  /** Reads those whose files have changed, and says whether anything else is held now. */
  async refresh(): Promise<boolean> {
    let hasChanged = false
    for (const pair of this.#pairs) if (await this.#refreshPair(pair)) hasChanged = true
    return hasChanged
  }

  async #refreshPair(pair: Pair): Promise<boolean> {
    const version = await versionOf(pair)
    if (version === pair.version) return false
    pair.version = version
    try {
      const held = await readPair(pair)
      if (held.id === pair.held?.id) return false
      pair.held = held
      this.#remark(pair, held)
      return true
    } catch (error) {
      // Half-written as likely as wrong: its next version is read again.
      const serving = pair.held === undefined ? 'There is none to serve for it' : 'The former one serves on'
      const message = `${pair.certificate} and ${pair.key} cannot be used for ${pair.site}: ${describeError(error)} ${serving} until the files are put right; they are read again when they change.`
      this.#log.error('own-certificate-unusable', message, {
        site: pair.site,
        certificate: pair.certificate,
        key: pair.key,
      })
      return false
    }
  }

  #remark({ site, names, certificate }: Pair, { chain }: HeldCertificate): void {
    const [leaf] = parseChain(chain)
    const end = spokenTime(leaf.notAfter)
    this.#log.info('own-certificate-loaded', `${certificate} serves ${site} until ${end}.`, {
      site,
      certificate,
      notAfter: end,
    })
    if (leaf.notAfter < this.#clock.now())
      this.#log.error('own-certificate-expired', `${certificate} expired at ${end}: clients of ${site} refuse it.`, {
        site,
        certificate,
      })
    const missing = names.filter((name) => !coversName(leaf.names, name))
    if (missing.length > 0)
      this.#log.warn(
        'own-certificate-lacks-names',
        `${certificate} does not cover ${missing.join(', ')}: clients refuse it there.`,
        {
          site,
          certificate,
          missing,
        },
      )
  }
}

/** Changes when either file does; the same for two files that are not there. */
async function versionOf({ certificate, key }: Pair): Promise<string> {
  const versions = await Promise.all(
    [certificate, key].map(async (path) => {
      try {
        const { mtimeMs, size, ino } = await stat(path)
        return `${mtimeMs} ${size} ${ino}`
      } catch (error) {
        return describeError(error)
      }
    }),
  )
  return versions.join('\n')
}

/** Serves the site's names whatever the certificate says: the operator's choice, remarked on where it looks wrong. */
async function readPair({ site, names, certificate, key }: Pair): Promise<HeldCertificate> {
  // Tools write what a certificate says between the blocks, and a bundle may have the key in it.
  const blocks = (await readFile(certificate, 'latin1')).match(CERTIFICATE_BLOCK) ?? []
  const chain = `${blocks.join('\n')}\n`
  const privateKey = await readFile(key, 'utf8')
  const [leaf] = parseChain(chain)
  if (!isSameKey(leaf.publicKey, importPrivateKey(privateKey)))
    throw new PkiError('certificate-key-mismatch', 'The key is not that of the certificate.')
  return { id: `${leaf.fingerprint} ${site}`, names, chain, privateKey }
}
