import { describeError } from '../../errors.ts'
import type { Log } from '../../telemetry/log.ts'
import type { ClientHello } from '../client-hello/client-hello.ts'
import { wildcardOf } from '../router.ts'
import type { CertificateSnapshot } from '../snapshot.ts'
import { type CertificateKind, canVerify, certificateKind } from './certificate-kind.ts'

/** A certificate, and the kind of its key once somebody has asked for it: most names are at rest. */
type Entry = { certificate: CertificateSnapshot; kind: CertificateKind | 'unusable' | undefined }

/** A certificate of which nothing speaks against using it. */
type Candidate = { readonly certificate: CertificateSnapshot; readonly kind: CertificateKind }

/** What there is for a client: the certificate to show, or why there is none. */
export type Choice =
  | { readonly type: 'certificate'; readonly certificate: CertificateSnapshot }
  /** There are certificates of that name, and none that this client can verify. */
  | { readonly type: 'unverifiable' }
  | { readonly type: 'unknown-name' }

/** All certificates by name. Finding one takes as long among ten as among a million. */
export class CertificateTable {
  readonly #byId = new Map<string, Entry>()
  readonly #byName = new Map<string, Entry[]>()
  readonly #log: Log

  constructor(log: Log) {
    this.#log = log
  }

  /** Makes the table hold these. Of those that it has already, by id, only the staple changes. Gives the ids that are gone. */
  update(certificates: readonly CertificateSnapshot[]): string[] {
    const ids = new Set(certificates.map(({ id }) => id))
    const gone = [...this.#byId.keys()].filter((id) => !ids.has(id))
    for (const certificate of certificates) {
      const entry = this.#byId.get(certificate.id)
      if (entry === undefined) this.#add(certificate)
      else if (entry.certificate.staple !== certificate.staple) entry.certificate = certificate
    }
    for (const id of gone) this.#remove(id)
    return gone
  }

  /** A certificate that turned out to be of no use is passed over from now on. */
  markUnusable(id: string, reason: string): void {
    const entry = this.#byId.get(id)
    if (entry === undefined || entry.kind === 'unusable') return
    entry.kind = 'unusable'
    const names = entry.certificate.names
    const message = `A certificate for ${names.join(', ')} cannot be used: ${reason}. Clients get another, if there is one.`
    this.#log.error('certificate-unusable', message, { names, certificate: id })
  }

  /** The best certificate of a name that the client can verify: of the exact name first, then of the wildcard. */
  choose(name: string, hello: ClientHello): Choice {
    const exact = this.#usable(name)
    const wildcard = this.#usable(wildcardOf(name))
    const best = bestFor(hello, exact) ?? bestFor(hello, wildcard)
    if (best !== undefined) return { type: 'certificate', certificate: best }
    return { type: exact.length + wildcard.length === 0 ? 'unknown-name' : 'unverifiable' }
  }

  /** Whether there is a certificate of exactly this name. One that turned out to be of no use is none. */
  has(name: string): boolean {
    return this.#usable(name).length > 0
  }

  #usable(name: string): Candidate[] {
    const candidates: Candidate[] = []
    for (const entry of this.#byName.get(name) ?? []) {
      const kind = this.#kindOf(entry)
      if (kind !== 'unusable') candidates.push({ certificate: entry.certificate, kind })
    }
    return candidates
  }

  #kindOf(entry: Entry): CertificateKind | 'unusable' {
    if (entry.kind !== undefined) return entry.kind
    const { id, chain } = entry.certificate
    try {
      entry.kind = certificateKind(chain)
      if (entry.kind === undefined) this.markUnusable(id, 'its key is of a kind that TLS clients do not verify')
    } catch (error) {
      this.markUnusable(id, describeError(error))
    }
    return entry.kind ?? 'unusable'
  }

  #add(certificate: CertificateSnapshot): void {
    const entry: Entry = { certificate, kind: undefined }
    this.#byId.set(certificate.id, entry)
    for (const name of certificate.names) {
      const entries = this.#byName.get(name)
      if (entries === undefined) this.#byName.set(name, [entry])
      else entries.push(entry)
    }
  }

  #remove(id: string): void {
    const entry = this.#byId.get(id)
    this.#byId.delete(id)
    for (const name of entry?.certificate.names ?? []) {
      const others = this.#byName.get(name)?.filter((other) => other !== entry) ?? []
      if (others.length === 0) this.#byName.delete(name)
      else this.#byName.set(name, others)
    }
  }
}

function bestFor(hello: ClientHello, candidates: readonly Candidate[]): CertificateSnapshot | undefined {
  let best: Candidate | undefined
  for (const candidate of candidates) {
    if (!canVerify(hello, candidate.kind)) continue
    if (best === undefined || candidate.kind.rank < best.kind.rank) best = candidate
  }
  return best?.certificate
}
