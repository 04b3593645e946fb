import { createCertificateAuthority, issueCertificate } from '../../src/pki/certificate-authority.ts'
import { exportPrivateKey, generateKey } from '../../src/pki/keys.ts'

/** A certificate and its key, in PEM. */
export async function makePair(...names: readonly string[]): Promise<{ certificate: string; key: string }> {
  const now = Date.now()
  const authority = await createCertificateAuthority({ label: 'test', now })
  const { publicKey, privateKey } = await generateKey('ecdsa-p256')
  const certificate = await issueCertificate(authority, { names, publicKey, now, lifetimeMs: 86_400_000 })
  return { certificate, key: exportPrivateKey(privateKey) }
}
