import type { CertificateExtensions } from '../pki/certificate-extensions.ts'
import { AcmeError } from './acme-error.ts'
import type { AcmeClient } from './client.ts'
import { JsonObject } from './json-object.ts'
import { quote } from './quote.ts'

/** When a CA would like a certificate to be renewed (RFC 9773 §4.2). Times in ms since 1970. */
export type RenewalInfo = {
  readonly windowStart: number
  readonly windowEnd: number
  /** Where the CA says why, if it does: for people, not to be fetched. */
  readonly explanationUrl: string | undefined
  /** When to ask again, in milliseconds, if the CA says so. */
  readonly retryAfterMs: number | undefined
}

/**
 * What a CA knows a certificate by (RFC 9773 §4.1): the key that signed it, and its serial number with the zero in front
 * that keeps it positive. undefined for a certificate that does not say which key that was.
 */
export function renewalIdentifier({
  authorityKeyIdentifier,
  serialContent,
}: Pick<CertificateExtensions, 'authorityKeyIdentifier' | 'serialContent'>): string | undefined {
  if (authorityKeyIdentifier === undefined) return undefined
  return `${authorityKeyIdentifier.toString('base64url')}.${serialContent.toString('base64url')}`
}

/**
 * Asks a CA that has a `renewalInfo` in its directory (RFC 9773 §4.1). Throws AcmeError: also for a window that is none,
 * which counts as no answer (§4.2).
 */
export async function getRenewalInfo(
  client: AcmeClient,
  identifier: string,
  signal: AbortSignal,
): Promise<RenewalInfo> {
  const base = client.directory.renewalInfo!
  const url = `${base}${base.endsWith('/') ? '' : '/'}${identifier}`
  const response = await client.get(url, { what: 'when to renew a certificate', signal })
  const document = new JsonObject(response.json(), 'the renewal information')
  const window = document.object('suggestedWindow')
  const [windowStart, windowEnd] = [time(window, 'start'), time(window, 'end')]
  if (windowEnd <= windowStart) throw invalid('a window that ends before it begins')
  return {
    windowStart,
    windowEnd,
    explanationUrl: readable(document.optionalString('explanationURL')),
    retryAfterMs: response.retryAfterMs,
  }
}

/** RFC 3339, with an offset. */
const TIMESTAMP = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/

function time(window: JsonObject, field: string): number {
  const text = window.string(field)
  const ms = TIMESTAMP.test(text) ? Date.parse(text.toUpperCase()) : Number.NaN
  if (Number.isNaN(ms)) throw invalid(`a time that is none (“${quote(text, 40)}”)`)
  return ms
}

function readable(url: string | undefined): string | undefined {
  return url === undefined ? undefined : quote(url, 300)
}

function invalid(what: string): AcmeError {
  return new AcmeError('acme-response-invalid', `The renewal information has ${what} (RFC 9773 §4.2).`)
}
