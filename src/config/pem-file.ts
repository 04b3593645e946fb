import { createPrivateKey, X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { Refusal } from './problem.ts'
import type { TextFiles } from './text-file.ts'

/** What a PEM file is to hold (RFC 7468). */
export type PemKind = 'certificate' | 'private key'

const ALLOWED: Record<PemKind, string> = {
  certificate: 'allowed: a PEM file with -----BEGIN CERTIFICATE-----',
  'private key': 'allowed: a PEM file with -----BEGIN PRIVATE KEY-----, not encrypted',
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/
/** PKCS #8, and the older forms that OpenSSL still writes. */
const PRIVATE_KEY = /-----BEGIN ((?:RSA |EC )?PRIVATE KEY)-----[\s\S]+?-----END \1-----/
/** PKCS #8, and the older form that says so in a header. */
const ENCRYPTED_KEY = /-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m

/** The text of a PEM file (`path` is absolute) that holds what it should. What it holds never shows in a refusal. */
export async function readPem(path: string, kind: PemKind, files: TextFiles): Promise<string | Refusal> {
  const content = await files.read(path)
  if ('fault' in content) return new Refusal(ALLOWED[kind], { fault: `but ${path} cannot be read: ${content.fault}` })
  const fault = kind === 'certificate' ? certificateFault(content.text) : keyFault(content.text)
  return fault === undefined ? content.text : new Refusal(ALLOWED[kind], { fault: `but ${path} ${fault}` })
}

/** Certificates that are to be trusted, each of which can be read; as `readPem`. */
export async function readTrust(path: string, files: TextFiles): Promise<string | Refusal> {
  const pem = await readPem(path, 'certificate', files)
  if (pem instanceof Refusal) return pem
  try {
    for (const [certificate] of pem.matchAll(new RegExp(CERTIFICATE, 'g'))) new X509Certificate(certificate)
    return pem
  } catch {
    return new Refusal(ALLOWED.certificate, { fault: `but a certificate in ${path} is damaged` })
  }
}

/** What is wrong with a PEM key for a PEM certificate, in words that follow `which`; undefined if they are a pair. */
export function pairFault(certificate: string, key: string): string | undefined {
  try {
    return new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key))
      ? undefined
      : 'is the key of another certificate'
  } catch {
    return 'cannot be read together with its certificate: one of them is damaged'
  }
}

/** The names of a PEM certificate, as `wanted` has them, that it is not good for. */
export function uncoveredNames(certificate: string, wanted: readonly string[]): string[] {
  const x509 = new X509Certificate(certificate)
  const covers = (name: string): boolean =>
    isIP(name) === 0
      ? x509.checkHost(name.replace(/^\*/, 'a'), { subject: 'never' }) !== undefined
      : x509.checkIP(name) !== undefined
  return wanted.filter((name) => !covers(name))
}

function certificateFault(text: string): string | undefined {
  if (CERTIFICATE.test(text)) return undefined
  return PRIVATE_KEY.test(text) ? 'holds a private key (are certificate and key swapped?)' : 'holds no PEM certificate'
}

function keyFault(text: string): string | undefined {
  if (ENCRYPTED_KEY.test(text)) return 'holds an encrypted key, which nobody is there to open'
  if (PRIVATE_KEY.test(text)) return undefined
  return CERTIFICATE.test(text) ? 'holds a certificate (are certificate and key swapped?)' : 'holds no PEM private key'
}
