import { AcmeError } from './acme-error.ts'
import { quote } from './quote.ts'

/** Printable ASCII without blanks (RFC 3986), so that it is the same in a signature, a request and a log. */
const PRINTABLE_URL = /^[!-~]{1,2000}$/

/**
 * Whether a request can go to a URL that an ACME server gave. It must be https (RFC 8555 §6.1), on any host; plain http
 * only where the directory itself is, which the operator has chosen.
 */
export function isServerUrl(text: string, directoryUrl: string): boolean {
  const url = PRINTABLE_URL.test(text) ? URL.parse(text) : null
  const schemes = ['https:', new URL(directoryUrl).protocol]
  return url !== null && schemes.includes(url.protocol) && url.username === '' && url.password === ''
}

/**
 * Such a URL as it stands: it is signed and compared byte by byte (RFC 8555 §6.4). Throws AcmeError
 * `acme-response-invalid`.
 */
export function requireUrl(text: string, directoryUrl: string): string {
  if (isServerUrl(text, directoryUrl)) return text
  throw new AcmeError(
    'acme-response-invalid',
    `The CA at ${new URL(directoryUrl).host} names “${quote(text, 200)}” where an https URL must be.`,
  )
}
