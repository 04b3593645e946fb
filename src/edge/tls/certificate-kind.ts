import { type ClientHello, TLS_1_2, TLS_1_3 } from '../client-hello/client-hello.ts'

/** What a client must be able to do to verify a handshake that is signed with a key of one kind. IANA's numbers. */
type Demands = {
  /** Signature schemes of TLS 1.3, which name the curve or padding as well as the hash; one of them is enough. */
  readonly schemes: readonly number[]
  /** Signature algorithms of TLS 1.2, which are independent of the curve; one of them is enough. */
  readonly legacySchemes: readonly number[]
  /** The suites of TLS 1.2 that we speak with this authentication. */
  readonly cipherSuites: readonly number[]
  /** The key's curve, which a client of TLS 1.2 lists among its groups (RFC 8422 §5.1.1). */
  readonly group?: number
}

/** SHA-1 is left out: OpenSSL does not sign with it at its default security level. */
const ECDSA_SHA2 = [0x0403, 0x0503, 0x0603]
const RSA_PSS = [0x0804, 0x0805, 0x0806]
const RSA_PKCS1_SHA2 = [0x0401, 0x0501, 0x0601]
const ECDHE_ECDSA = [0xc02b, 0xc02c, 0xcca9]
const ECDHE_RSA = [0xc02f, 0xc030, 0xcca8]
const ED25519 = [0x0807]

function ecdsa(scheme: number, group: number): Demands {
  return { schemes: [scheme], legacySchemes: ECDSA_SHA2, cipherSuites: ECDHE_ECDSA, group }
}

const RSA: Demands = { schemes: RSA_PSS, legacySchemes: [...RSA_PKCS1_SHA2, ...RSA_PSS], cipherSuites: ECDHE_RSA }

/** By curve, or by type for keys without. In order of preference: the less it costs to sign and to send, the better. */
const DEMANDS = new Map<string, Demands>([
  ['prime256v1', ecdsa(0x0403, 23)],
  ['secp384r1', ecdsa(0x0503, 24)],
  ['ed25519', { schemes: ED25519, legacySchemes: ED25519, cipherSuites: ECDHE_ECDSA }],
  ['secp521r1', ecdsa(0x0603, 25)],
  ['rsa', RSA],
])

/** The kind of a certificate's key, as far as the choice among certificates goes. */
export type CertificateKind = {
  readonly demands: Demands
  /** The lowest of those that a client can verify is the best. */
  readonly rank: number
}

const RSA_KEY = /^(rsa)-(\d+)$/

/** What a snapshot calls a key. undefined for one that no client of ours could use. */
export function certificateKind(key: string): CertificateKind | undefined {
  const [, type = key, bits = '0'] = RSA_KEY.exec(key) ?? []
  const demands = DEMANDS.get(type)
  if (demands === undefined) return undefined
  return { demands, rank: [...DEMANDS.keys()].indexOf(type) + Number(bits) }
}

/** Whether the client speaks a version of TLS that we do. */
export function speaksOurVersions({ versions }: ClientHello): boolean {
  return versions.includes(TLS_1_3) || versions.includes(TLS_1_2)
}

/** Whether the client can verify a handshake that a key of this kind signs, in the version that it will get. */
export function canVerify(hello: ClientHello, { demands }: CertificateKind): boolean {
  const { signatureAlgorithms, cipherSuites, supportedGroups, versions } = hello
  if (versions.includes(TLS_1_3))
    return signatureAlgorithms !== undefined && overlap(signatureAlgorithms, demands.schemes)
  if (!overlap(cipherSuites, demands.cipherSuites)) return false
  // RFC 5246 §7.4.1.4.1 would have it mean SHA-1; clients that say nothing do verify more, so the suites decide.
  if (signatureAlgorithms !== undefined && !overlap(signatureAlgorithms, demands.legacySchemes)) return false
  return demands.group === undefined || supportedGroups === undefined || supportedGroups.includes(demands.group)
}

function overlap(offered: readonly number[], wanted: readonly number[]): boolean {
  return wanted.some((value) => offered.includes(value))
}
