import { CastellanError } from '../errors.ts'
import { type CertificateChain, parseChain } from '../pki/certificate.ts'
import { withDeadline } from '../system/deadline.ts'
import type { Account } from './account.ts'
import { AcmeError } from './acme-error.ts'
import type { AcmeClient } from './client.ts'
import { quote } from './quote.ts'

const PEM_CHAIN = 'application/pem-certificate-chain'

/** Boulder offers two or three chains. */
const MAX_ALTERNATES = 5

/** For all of them together: they are only nicer than the chain that is there. */
const ALTERNATES_DEADLINE_MS = 60_000

/** A chain as it came. */
export type IssuedChain = { readonly pem: string; readonly certificates: CertificateChain }

/** A certificate that is there, and where the CA has other chains for it. */
export type Downloaded = { readonly chain: IssuedChain; readonly alternates: readonly string[] }

/** Throws a CastellanError unless the chain is the one that was ordered. */
export type ChainCheck = (certificates: CertificateChain) => void

export type DownloadOptions = {
  readonly names: readonly string[]
  /** Common name of the top issuer of the chain wanted, or `shortest`; the CA's own choice unless given. */
  readonly preferredChain: string | undefined
  readonly check: ChainCheck
}

/**
 * The certificate in the chain preferred if the CA has it, else in the CA's own (RFC 8555 §7.4.2). Takes a minute at most;
 * throws only the signal's reason.
 */
export async function chooseChain(
  client: AcmeClient,
  account: Account,
  { chain, alternates }: Downloaded,
  options: DownloadOptions,
  signal: AbortSignal,
): Promise<IssuedChain> {
  const { preferredChain } = options
  if (preferredChain === undefined || topIssuer(chain) === preferredChain) return chain
  const chains = [chain]
  const expired = (): AcmeError => alternatesLate(client.server, options.names)
  await withDeadline({ clock: client.clock, ms: ALTERNATES_DEADLINE_MS, signal, expired }, async (inTime) => {
    for (const alternate of alternates.slice(0, MAX_ALTERNATES)) {
      if (inTime.aborted) return
      try {
        chains.push((await downloadCertificate(client, account, client.url(alternate), options, inTime)).chain)
      } catch (error) {
        // The certificate is there: it would be a pity to lose it over a chain that is only nicer.
        if (signal.aborted || !(error instanceof CastellanError)) throw error
        client.log.warn('alternate-chain-unusable', error.message, error.facts)
      }
    }
  })
  if (preferredChain === 'shortest') return chains.reduce((best, each) => (length(each) < length(best) ? each : best))
  const preferred = chains.find((each) => topIssuer(each) === preferredChain)
  if (preferred === undefined) warnOfMissingChain(client, preferredChain, chains)
  return preferred ?? chain
}

/**
 * Downloads the certificate of a valid order in the CA's own chain (RFC 8555 §7.4.2). Throws AcmeError,
 * `certificate-unusable` for what is anything but the certificate ordered (§11.4).
 */
export async function downloadCertificate(
  client: AcmeClient,
  account: Account,
  url: string,
  { names, check }: DownloadOptions,
  signal: AbortSignal,
): Promise<Downloaded> {
  const what = `the certificate for ${names.join(', ')}`
  const response = await client.read(url, account, { what, accept: PEM_CHAIN, signal })
  const pem = response.text(PEM_CHAIN)
  try {
    const certificates = parseChain(pem)
    check(certificates)
    return { chain: { pem, certificates }, alternates: response.links('alternate') }
  } catch (cause) {
    if (!(cause instanceof CastellanError)) throw cause
    const sentence = `The CA at ${client.server} sent a certificate for ${names.join(', ')} that cannot be used: ${cause.message}`
    throw new AcmeError('certificate-unusable', sentence, { ...cause.facts, server: client.server, names }, { cause })
  }
}

function topIssuer({ certificates }: IssuedChain): string | undefined {
  // Node has undefined for an empty name, whatever its types say.
  const commonName = certificates.at(-1)?.x509.toLegacyObject().issuer?.CN
  return Array.isArray(commonName) ? commonName[0] : commonName
}

function length({ certificates }: IssuedChain): number {
  return certificates.length
}

function alternatesLate(server: string, names: readonly string[]): AcmeError {
  const sentence = `The CA at ${server} has not sent all its other chains for ${names.join(', ')} within ${ALTERNATES_DEADLINE_MS / 1000} seconds: they are done without.`
  return new AcmeError('acme-timeout', sentence, { server, names })
}

function warnOfMissingChain({ server, log }: AcmeClient, preferredChain: string, chains: readonly IssuedChain[]): void {
  const offered = chains.map((chain) => quote(topIssuer(chain) ?? 'an issuer without a common name', 100))
  const message = `The CA at ${server} has no chain up to “${preferredChain}” but only up to ${offered.join(', ')}; its own choice is used.`
  log.warn('chain-not-offered', message, { server, preferredChain, offered })
}
