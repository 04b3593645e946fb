import { type CaAnswer, Refusal } from './answer.ts'
import type { CaCertificate, CaCertificates } from './certificates.ts'

/** Times in milliseconds since 1970. */
export type Window = { readonly start: number; readonly end: number; readonly explanationURL?: string }

const DAY_MS = 24 * 60 * 60 * 1000
/** Let's Encrypt's. */
const RETRY_AFTER_SECONDS = 6 * 60 * 60

export const REVOCATION_URL = 'https://ca.test/incidents/2026-12'

/** When the CA would like its certificates to be renewed (RFC 9773). */
export class CaRenewalInfo {
  /** Seconds; undefined says nothing. */
  retryAfter: number | undefined = RETRY_AFTER_SECONDS
  /** In place of every answer, as long as it is set. */
  nonsense: CaAnswer | undefined
  /** Where in a lifetime its window begins, unless it was moved. */
  beginsAt = 2 / 3
  readonly #moved = new Map<CaCertificate, Window>()
  readonly #certificates: CaCertificates

  constructor(certificates: CaCertificates) {
    this.#certificates = certificates
  }

  /** From now on the CA suggests this, for one certificate or for all of them. */
  move(window: Window, ...issued: readonly CaCertificate[]): void {
    for (const each of issued.length === 0 ? this.#certificates.all : issued) this.#moved.set(each, window)
  }

  /** What it suggests; for a revoked certificate a window that is past. */
  windowOf(issued: CaCertificate): Window {
    const { revokedAt, notBefore, notAfter } = issued
    if (revokedAt !== undefined)
      return { start: revokedAt - 2 * DAY_MS, end: revokedAt - DAY_MS, explanationURL: REVOCATION_URL }
    const start = notBefore + (notAfter - notBefore) * this.beginsAt
    return this.#moved.get(issued) ?? { start, end: start + (notAfter - notBefore) / 45 }
  }

  /** Throws Refusal. */
  answer(certId: string): CaAnswer {
    const issued = this.#certificates.byCertId(certId)
    if (issued === undefined) throw new Refusal('malformed', 'No such certificate', { status: 404 })
    if (this.nonsense !== undefined) return this.nonsense
    const { start, end, explanationURL } = this.windowOf(issued)
    const suggestedWindow = { start: new Date(start).toISOString(), end: new Date(end).toISOString() }
    return {
      headers: this.retryAfter === undefined ? {} : { 'Retry-After': String(this.retryAfter) },
      body: { suggestedWindow, ...(explanationURL !== undefined && { explanationURL }) },
    }
  }
}
