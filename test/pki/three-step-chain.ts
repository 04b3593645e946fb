import type { KeyObject } from 'node:crypto'
import { BasicConstraints, type Extension, id_ce_basicConstraints, Name } from '@peculiar/asn1-x509'
import { type Certificate, parseChain } from '../../src/pki/certificate.ts'
import { type CertificateContent, commonName, extension, signCertificate } from '../../src/pki/certificate-signing.ts'
import { generateKey, type KeyPair } from '../../src/pki/keys.ts'
import { subjectAlternativeName } from '../../src/pki/subject-names.ts'

export const DAY_MS = 24 * 60 * 60 * 1000
export const NOW = Date.parse('2026-11-24T12:00:00Z')

/** A certificate for `a.example`, valid for a day around NOW, except where `content` says otherwise. */
export async function selfSigned(content: Partial<CertificateContent>, keys?: KeyPair): Promise<string> {
  const { publicKey, privateKey } = keys ?? (await generateKey('ecdsa-p256'))
  return signed({ publicKey, ...content }, privateKey)
}

/** Root, intermediate and leaf, each on its own: what a CA could send, well or badly put together. */
export async function threeStepChain(): Promise<{
  root: Certificate
  intermediate: Certificate
  leaf: Certificate
  privateKey: KeyObject
}> {
  const [top, middle, server] = await Promise.all([
    generateKey('ecdsa-p384'),
    generateKey('ecdsa-p256'),
    generateKey('ecdsa-p256'),
  ])
  const root = await authority('Root', top.publicKey, 'Root', top.privateKey)
  const intermediate = await authority('Intermediate', middle.publicKey, 'Root', top.privateKey)
  const leaf = await signed({ issuer: commonName('Intermediate'), publicKey: server.publicKey }, middle.privateKey)
  return { root, intermediate, leaf: parseChain(leaf)[0], privateKey: server.privateKey }
}

/** Back to PEM, in this order. */
export function pemOf(...chain: readonly Certificate[]): string {
  return chain.map(({ x509 }) => x509.toString()).join('')
}

/** A CA's certificate: for `name`, signed by `issuer`. */
export async function authority(
  name: string,
  publicKey: KeyObject,
  issuer: string,
  issuerKey: KeyObject,
  ...more: readonly Extension[]
): Promise<Certificate> {
  const basicConstraints = extension(id_ce_basicConstraints, new BasicConstraints({ cA: true }), { critical: true })
  const extensions = [basicConstraints, ...more]
  const content = { subject: commonName(name), issuer: commonName(issuer), publicKey, extensions }
  return parseChain(await signed(content, issuerKey))[0]
}

/** As selfSigned, by an issuer's key. PEM. */
export function signed(
  content: Partial<CertificateContent> & { publicKey: KeyObject },
  issuerKey: KeyObject,
): Promise<string> {
  const defaults = {
    issuer: commonName('Issuer'),
    subject: new Name(),
    notBefore: NOW - DAY_MS,
    notAfter: NOW + DAY_MS,
    extensions: [subjectAlternativeName(['a.example'], { critical: true })],
  }
  return signCertificate({ ...defaults, ...content }, issuerKey)
}
