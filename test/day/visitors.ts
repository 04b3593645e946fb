import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { type Certificate, parseCertificate } from '../../src/pki/certificate.ts'
import type { KeyKind } from '../../src/pki/key-kind.ts'
import { readOcspResponse } from '../../src/pki/ocsp-response.ts'

/** A client that can verify one kind of key alone, and speaks one version of TLS. */
export type Visitor = { readonly keyKind: KeyKind; readonly version: 'TLSv1.2' | 'TLSv1.3' }

export const visitors: readonly Visitor[] = [
  { keyKind: 'ecdsa-p256', version: 'TLSv1.3' },
  { keyKind: 'rsa-2048', version: 'TLSv1.3' },
  { keyKind: 'ecdsa-p256', version: 'TLSv1.2' },
  { keyKind: 'rsa-2048', version: 'TLSv1.2' },
]

const abilities: Partial<Record<KeyKind, ConnectionOptions>> = {
  'ecdsa-p256': { sigalgs: 'ecdsa_secp256r1_sha256', ciphers: 'TLS_AES_128_GCM_SHA256:ECDHE-ECDSA-AES128-GCM-SHA256' },
  'rsa-2048': {
    sigalgs: 'rsa_pss_rsae_sha256:rsa_pkcs1_sha256',
    ciphers: 'TLS_AES_128_GCM_SHA256:ECDHE-RSA-AES128-GCM-SHA256',
  },
}

/** What a visitor is shown. */
export type Seen = {
  readonly certificate: Certificate
  readonly issuer: Certificate | undefined
  readonly staple: Buffer | undefined
}

/** A handshake is a few milliseconds of work, on a machine that may have other work. */
const PATIENCE_MS = 20_000

/** One connection that asks for a staple. Rejects if TLS comes to no end. */
export function visit(port: number, servername: string, { keyKind, version }: Visitor): Promise<Seen> {
  return new Promise((resolve, reject) => {
    const target = { port, host: '127.0.0.1', servername, requestOCSP: true, rejectUnauthorized: false }
    const only = { minVersion: version, maxVersion: version, ...abilities[keyKind] }
    const socket: TLSSocket = connect({ ...target, ...only })
    let staple: Buffer | undefined
    socket.on('OCSPResponse', (response: Buffer | null) => {
      staple = response ?? undefined
    })
    socket.setTimeout(PATIENCE_MS, () => socket.destroy(new Error('the handshake came to no end')))
    socket.once('secureConnect', () => {
      const leaf = socket.getPeerX509Certificate()!
      const issuer = leaf.issuerCertificate
      resolve({ certificate: known(leaf.raw), issuer: issuer && known(issuer.raw), staple })
      socket.end()
    })
    socket.on('error', reject)
    socket.once('close', () => reject(new Error('the connection was closed')))
  })
}

const parsed = new Map<string, Certificate>()

/** Reading each certificate once leaves the time to the handshakes. */
function known(der: Buffer): Certificate {
  const key = der.toString('base64')
  const certificate = parsed.get(key) ?? parseCertificate(der)
  parsed.set(key, certificate)
  return certificate
}

/** What a strict client would find wrong with what it is shown at `now`, in words; undefined if all is well. */
export function faultOf(seen: Seen, { keyKind }: Visitor, name: string, ca: Certificate, now: number) {
  const { certificate, issuer, staple } = seen
  if (certificate.keyKind !== keyKind) return `a key of kind ${certificate.keyKind}`
  if (certificate.x509.checkHost(name) === undefined) return `a certificate for ${certificate.names}`
  if (issuer?.fingerprint !== ca.fingerprint) return 'the chain does not lead to the CA'
  if (!certificate.x509.verify(ca.publicKey)) return 'the certificate is not signed by the CA'
  if (now < certificate.notBefore || now > certificate.notAfter) return `a certificate until ${certificate.notAfter}`
  if (staple === undefined) return 'no staple'
  try {
    const { status } = readOcspResponse(staple, { certificate, issuer: ca, now })
    return status.type === 'good' ? undefined : `a staple that says ${status.type}`
  } catch (error) {
    return `a wrong staple: ${error}`
  }
}
