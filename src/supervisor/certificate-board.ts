import { unpack } from '../certificates/packed-certificate.ts'
import type { CertificatesState, HeldCertificate } from '../certificates/state.ts'
import type { CertificateChange, CertificateMaterial, CertificateSnapshot } from '../edge/snapshot.ts'

/** A certificate that the workers know of, and what they call it: theirs are short, as each of them holds all. */
type Posted = { readonly workersId: string; readonly held: HeldCertificate }

/**
 * Remembers what the workers were told of the certificates, turns a new state into what has changed, and has what they ask
 * for when a client comes for a certificate: the material of all that is on the board, and of nothing else.
 */
export class CertificateBoard {
  readonly #posted = new Map<string, Posted>()
  readonly #byWorkersId = new Map<string, Posted>()
  #waiting: CertificatesState['waiting'] = []
  #nextId = 1

  /** The whole of it, for a worker that knows nothing yet. */
  all(): CertificateChange {
    return { put: [...this.#posted.values()].map(toSnapshot), remove: [], staples: [], waiting: this.#waiting }
  }

  /** Takes the new state and gives the difference. */
  update({ held, waiting }: CertificatesState): CertificateChange {
    const ids = new Set(held.map(({ id }) => id))
    const change = {
      put: [] as CertificateSnapshot[],
      remove: [...this.#posted.keys()].filter((id) => !ids.has(id)).map((id) => this.#takeDown(id)),
      staples: [] as CertificateChange['staples'][number][],
      waiting,
    }
    this.#waiting = waiting
    for (const each of held) {
      const before = this.#posted.get(each.id)
      const posted = this.#post(each, before?.workersId ?? this.#newId())
      if (before === undefined) change.put.push(toSnapshot(posted))
      else if (before.held.staple !== each.staple) change.staples.push({ id: posted.workersId, staple: each.staple })
    }
    return change
  }

  /** Takes these up ahead of the next whole state, which has them too, and gives what is new. */
  put(held: readonly HeldCertificate[]): CertificateChange {
    const fresh = held.filter(({ id }) => !this.#posted.has(id))
    const put = fresh.map((each) => toSnapshot(this.#post(each, this.#newId())))
    return { put, remove: [], staples: [], waiting: undefined }
  }

  #newId(): string {
    return (this.#nextId++).toString(36)
  }

  /** undefined for a certificate that is not on the board any more. */
  material(workersId: string): CertificateMaterial | undefined {
    const held = this.#byWorkersId.get(workersId)?.held
    return held && { ...unpack(held.packed), staple: held.staple }
  }

  #post(held: HeldCertificate, workersId: string): Posted {
    const posted = { workersId, held }
    this.#posted.set(held.id, posted)
    this.#byWorkersId.set(workersId, posted)
    return posted
  }

  #takeDown(id: string): string {
    const { workersId } = this.#posted.get(id)!
    this.#posted.delete(id)
    this.#byWorkersId.delete(workersId)
    return workersId
  }
}

function toSnapshot({ workersId: id, held: { names, key } }: Posted): CertificateSnapshot {
  return { id, names, key }
}
