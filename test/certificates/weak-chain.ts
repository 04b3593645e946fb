import { generateKeyPairSync, sign } from 'node:crypto'
import { AsnConvert } from '@peculiar/asn1-schema'
import { Certificate as X509Schema } from '@peculiar/asn1-x509'
import type { IssuedCertificate } from '../../src/issuers/issuer.ts'
import { parseChain } from '../../src/pki/certificate.ts'
import { commonName } from '../../src/pki/certificate-signing.ts'
import { exportPrivateKey, generateKey } from '../../src/pki/keys.ts'
import { encodeCertificate } from '../../src/pki/pem.ts'
import { subjectAlternativeName } from '../../src/pki/subject-names.ts'
import { authority, DAY_MS, NOW, pemOf, selfSigned, signed } from '../pki/three-step-chain.ts'

// Certificates that are sound but for the size of an RSA key, which OpenSSL's security level 2 has at 2048 bits or more.

/** Any that signs: the signature in question is replaced. */
const placeholder = await generateKey('rsa-2048')
const p256 = await generateKey('ecdsa-p256')
const weakKeys = generateKeyPairSync('rsa', { modulusLength: 1024 })

/** A leaf with a key of 1024 bits. */
export async function weakLeaf(...names: string[]): Promise<IssuedCertificate> {
  const content = { publicKey: weakKeys.publicKey, extensions: [subjectAlternativeName(names, { critical: true })] }
  return { chain: await selfSigned(content, p256), privateKey: exportPrivateKey(weakKeys.privateKey) }
}

/** A leaf with a good key, signed by an intermediate with one of 1024 bits. */
export async function weakIntermediate(...names: string[]): Promise<IssuedCertificate> {
  const intermediate = await authority('Weak', weakKeys.publicKey, 'Root', p256.privateKey)
  const extensions = [subjectAlternativeName(names, { critical: true })]
  const content = { issuer: commonName('Weak'), publicKey: p256.publicKey, extensions, notAfter: NOW + 90 * DAY_MS }
  const leaf = signedWeakly(await signed(content, placeholder.privateKey))
  return { chain: leaf + pemOf(intermediate), privateKey: exportPrivateKey(p256.privateKey) }
}

/** With a signature of the weak key in place of its own: no key of that size signs in src. */
function signedWeakly(pem: string): string {
  const certificate = AsnConvert.parse(parseChain(pem)[0].x509.raw, X509Schema)
  const content = new Uint8Array(AsnConvert.serialize(certificate.tbsCertificate))
  certificate.signatureValue = new Uint8Array(sign('sha256', content, weakKeys.privateKey)).buffer
  return encodeCertificate(new Uint8Array(AsnConvert.serialize(certificate)))
}
