import type { KeyObject } from 'node:crypto'
import { type CertificateChain, parseCertificate } from '../pki/certificate.ts'
import { encodeCertificate, encodePrivateKey } from '../pki/pem.ts'

/**
 * A chain and its key while nobody uses them: DER, a byte a character, of which V8 takes less than of anything else. Parsed,
 * a certificate takes 20 kB, most of it OpenSSL's.
 */
export type PackedCertificate = {
  readonly leaf: string
  readonly issuers: readonly string[]
  /** PKCS #8. */
  readonly privateKey: string
}

export function pack([leaf, ...issuers]: CertificateChain, privateKey: KeyObject): PackedCertificate {
  return packDer(
    [leaf.x509.raw, ...issuers.map(({ x509 }) => x509.raw)],
    privateKey.export({ type: 'pkcs8', format: 'der' }),
  )
}

/** The same of what is DER already; the key in PKCS #8. */
export function packDer([leaf, ...issuers]: readonly [Buffer, ...Buffer[]], privateKey: Buffer): PackedCertificate {
  return {
    leaf: leaf.toString('latin1'),
    issuers: issuers.map((issuer) => issuer.toString('latin1')),
    privateKey: privateKey.toString('latin1'),
  }
}

/** Both in PEM. */
export function unpack(packed: PackedCertificate): { readonly chain: string; readonly privateKey: string } {
  const { leaf, issuers, privateKey } = packed
  const chain = [leaf, ...issuers].map((bytes) => encodeCertificate(Buffer.from(bytes, 'latin1'))).join('')
  return { chain, privateKey: encodePrivateKey(Buffer.from(privateKey, 'latin1')) }
}

export function unpackChain({ leaf, issuers }: PackedCertificate): CertificateChain {
  return [parse(leaf), ...issuers.map(parse)]
}

function parse(bytes: string): CertificateChain[0] {
  return parseCertificate(Buffer.from(bytes, 'latin1'))
}

/** CAs sign with few intermediates at a time; beyond these it begins anew, which costs some memory and nothing else. */
const MAX_KNOWN = 1_000

/** Lets certificates of the same issuers share their chains. */
export class SharedIssuers {
  readonly #known = new Map<string, readonly string[]>()

  share(packed: PackedCertificate): PackedCertificate {
    const content = packed.issuers.join('')
    const known = this.#known.get(content)
    if (known !== undefined) return { ...packed, issuers: known }
    if (this.#known.size === MAX_KNOWN) this.#known.clear()
    this.#known.set(content, packed.issuers)
    return packed
  }
}
