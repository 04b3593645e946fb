import { LRUCache } from 'lru-cache'
import type { CertificateMaterial, StapleSnapshot } from '../snapshot.ts'

/** Asks whoever holds the certificates. Resolves to undefined for one that is not served any more. */
export type FetchMaterial = (id: string) => Promise<CertificateMaterial | undefined>

/** Some 5 kB for a certificate and its key: room for more than have contexts, which are made of them. */
const MAX_CHARACTERS = 8 * 1024 * 1024

/**
 * What it takes to show the certificates that clients have lately come for, by the certificates' ids. All others are asked
 * for when a client comes: most names of most machines are at rest, and cost no more than the table's entry.
 */
export class MaterialCache {
  readonly #fetch: FetchMaterial
  readonly #entries = new LRUCache<string, CertificateMaterial>({ maxSize: MAX_CHARACTERS, sizeCalculation: sizeOf })
  /** One question for all that wait for the same. */
  readonly #fetching = new Map<string, Promise<CertificateMaterial | undefined>>()

  constructor(fetch: FetchMaterial) {
    this.#fetch = fetch
  }

  get(id: string): CertificateMaterial | undefined {
    return this.#entries.get(id)
  }

  fetch(id: string): Promise<CertificateMaterial | undefined> {
    const underWay = this.#fetching.get(id)
    if (underWay !== undefined) return underWay
    const fetching = this.#fetch(id).then((material) => {
      // Else it was changed or dropped meanwhile, and what has come may be what it was before.
      if (this.#fetching.get(id) === fetching && material !== undefined) this.#entries.set(id, material)
      return material
    })
    this.#fetching.set(id, fetching)
    const forget = (): void => {
      if (this.#fetching.get(id) === fetching) this.#fetching.delete(id)
    }
    fetching.then(forget, forget)
    return fetching
  }

  changeStaple({ id, staple }: StapleSnapshot): void {
    this.#fetching.delete(id)
    const material = this.#entries.peek(id)
    if (material !== undefined) this.#entries.set(id, { ...material, staple })
  }

  drop(id: string): void {
    this.#fetching.delete(id)
    this.#entries.delete(id)
  }
}

function sizeOf({ chain, privateKey, staple = '' }: CertificateMaterial): number {
  return chain.length + privateKey.length + staple.length
}
