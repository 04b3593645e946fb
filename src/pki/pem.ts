import { PkiError } from './pki-error.ts'

/**
 * OpenSSL, and so most clients, refuse a Certificate message above 100 KiB (SSL_MAX_CERT_LIST_DEFAULT), and 64 KiB of
 * PEM are 48 KiB of DER; a chain of three with 100 names has some 9 KiB.
 */
const MAX_CHAIN_CHARACTERS = 64 * 1024

/** Real chains have two to four, and a cross-signed one perhaps a few more. */
const MAX_CHAIN_CERTIFICATES = 10

/** Space, tab, CR and LF alone: `\s` would have no-break spaces and byte order marks as well, which no CA means. */
const BLANKS = /[ \t\r\n]*/y

/**
 * RFC 7468 §3: one textual encoding and the blanks behind it. No part matches what may follow it, so that hostile text
 * costs no more than its length.
 */
const BLOCK = /-----BEGIN ([A-Z0-9 ]{1,40})-----[ \t\r\n]([A-Za-z0-9+/= \t\r\n]+)-----END \1-----[ \t\r\n]*/y

/**
 * The DER certificates in a PEM chain, of which there is at least one. There may be blanks between the certificates, but
 * neither text nor anything else (RFC 8555 §9.1, §11.4). Other readers break lines and skip text by rules of their own, so
 * what is read here is handed on newly written, never as it came. Throws PkiError `chain-empty`, `chain-too-large`,
 * `chain-malformed` or `chain-foreign-block`, none of which repeats what was in the chain.
 */
export function decodeCertificateChain(text: string): [Buffer, ...Buffer[]] {
  if (text.length > MAX_CHAIN_CHARACTERS)
    throw new PkiError('chain-too-large', `The certificate chain has more than ${MAX_CHAIN_CHARACTERS} characters.`)
  BLANKS.lastIndex = 0
  BLANKS.test(text)
  if (BLANKS.lastIndex === text.length) throw new PkiError('chain-empty', 'The certificate chain is empty.')
  const certificates: [Buffer, ...Buffer[]] = [decodeBlock(text, BLANKS.lastIndex)]
  while (BLOCK.lastIndex < text.length) {
    if (certificates.length === MAX_CHAIN_CERTIFICATES)
      throw new PkiError('chain-too-large', `The chain has more than ${MAX_CHAIN_CERTIFICATES} certificates.`)
    certificates.push(decodeBlock(text, BLOCK.lastIndex))
  }
  return certificates
}

/** DER as one PEM certificate, with a line end behind it. */
export function encodeCertificate(der: Uint8Array): string {
  return encodeBlock('CERTIFICATE', der)
}

/** The same of a private key (PKCS #8, not encrypted). */
export function encodePrivateKey(der: Uint8Array): string {
  return encodeBlock('PRIVATE KEY', der)
}

/** The DER of a private key as encodePrivateKey writes it. */
export function decodePrivateKey(pem: string): Buffer {
  return Buffer.from(pem.replace(/-----[A-Z ]+-----/g, ''), 'base64')
}

function encodeBlock(label: string, der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}

/** Leaves the offset of the next block in BLOCK.lastIndex. */
function decodeBlock(text: string, offset: number): Buffer {
  BLOCK.lastIndex = offset
  const [, label, base64] = BLOCK.exec(text) ?? []
  if (label === undefined || base64 === undefined)
    throw new PkiError('chain-malformed', 'The chain is not PEM certificates and nothing else.', { offset })
  if (label !== 'CERTIFICATE')
    throw new PkiError('chain-foreign-block', `The chain holds a ${label}; only certificates may be in it.`, { offset })
  return Buffer.from(base64, 'base64')
}
