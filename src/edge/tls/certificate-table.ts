import type { Log } from '../../telemetry/log.ts'
import type { ClientHello } from '../client-hello/client-hello.ts'
import { wildcardOf } from '../router/router.ts'
import type { CertificateSnapshot } from '../snapshot.ts'
import { type CertificateKind, canVerify, certificateKind } from './certificate-kind.ts'

/** A certificate that can be chosen. Nothing else is held of those that nobody asks for. */
export type TableEntry = Pick<CertificateSnapshot, 'id' | 'names'> & { readonly kind: CertificateKind }

type Entry = TableEntry & { isUsable: boolean }

/** What there is for a client: the certificate to show, or why there is none. */
export type Choice =
  | { readonly type: 'certificate'; readonly certificate: TableEntry }
  /** There are certificates of that name, and none that this client can verify. */
  | { readonly type: 'unverifiable' }
  | { readonly type: 'unknown-name' }

const NONE: readonly Entry[] = []

/** All certificates by name. Finding one takes as long among ten as among a million. */
export class CertificateTable {
  readonly #byId = new Map<string, Entry>()
  /** Most names have one, and an array around it would be a quarter of what the table holds. */
  readonly #byName = new Map<string, Entry | readonly Entry[]>()
  /** Thousands of certificates are of a few kinds. */
  readonly #kinds = new Map<string, CertificateKind | undefined>()
  readonly #log: Log

  constructor(log: Log) {
    this.#log = log
  }

  /** Takes one up, unless it is there already, by its id. */
  put({ id, names, key }: CertificateSnapshot): void {
    if (this.#byId.has(id)) return
    const kind = this.#kindOf(key)
    if (kind === undefined) return this.#sayUnusable(names, 'its key is of a kind that TLS clients do not verify')
    const entry: Entry = { id, names, kind, isUsable: true }
    this.#byId.set(id, entry)
    for (const name of names) {
      const others = this.#byName.get(name)
      this.#byName.set(name, others === undefined ? entry : [...listed(others), entry])
    }
  }

  remove(id: string): void {
    const entry = this.#byId.get(id)
    this.#byId.delete(id)
    for (const name of entry?.names ?? []) {
      const others = listed(this.#byName.get(name)).filter((other) => other !== entry)
      if (others.length === 0) this.#byName.delete(name)
      else this.#byName.set(name, others.length === 1 ? others[0]! : others)
    }
  }

  /** A certificate that turned out to be of no use is passed over from now on. */
  markUnusable(id: string, reason: string): void {
    const entry = this.#byId.get(id)
    if (entry === undefined || !entry.isUsable) return
    entry.isUsable = false
    this.#sayUnusable(entry.names, reason)
  }

  /** The best certificate of a name that the client can verify: of the exact name first, then of the wildcard. */
  choose(name: string, hello: ClientHello): Choice {
    const exact = this.#of(name)
    const wildcard = this.#of(wildcardOf(name))
    const best = bestFor(hello, exact) ?? bestFor(hello, wildcard)
    if (best !== undefined) return { type: 'certificate', certificate: best }
    return { type: [...exact, ...wildcard].some(({ isUsable }) => isUsable) ? 'unverifiable' : 'unknown-name' }
  }

  /** Whether there is a certificate of exactly this name. One that turned out to be of no use is none. */
  has(name: string): boolean {
    return this.#of(name).some(({ isUsable }) => isUsable)
  }

  #of(name: string): readonly Entry[] {
    return listed(this.#byName.get(name))
  }

  #kindOf(key: string): CertificateKind | undefined {
    if (!this.#kinds.has(key)) this.#kinds.set(key, certificateKind(key))
    return this.#kinds.get(key)
  }

  #sayUnusable(names: readonly string[], reason: string): void {
    const message = `A certificate for ${names.join(', ')} cannot be used: ${reason}. Clients get another, if there is one.`
    this.#log.error('certificate-unusable', message, { names })
  }
}

function listed(entries: Entry | readonly Entry[] | undefined): readonly Entry[] {
  if (entries === undefined) return NONE
  return 'id' in entries ? [entries] : entries
}

function bestFor(hello: ClientHello, entries: readonly Entry[]): Entry | undefined {
  let best: Entry | undefined
  for (const entry of entries) {
    if (!entry.isUsable || !canVerify(hello, entry.kind)) continue
    if (best === undefined || entry.kind.rank < best.kind.rank) best = entry
  }
  return best
}
