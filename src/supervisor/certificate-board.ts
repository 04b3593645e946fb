import type { CertificateSnapshot, WaitingSnapshot } from '../edge/snapshot.ts'
import type { CertificateChange } from './messages.ts'

/** What the workers serve, as the control plane last said it. */
export type CertificateState = {
  readonly held: readonly CertificateSnapshot[]
  readonly waiting: readonly WaitingSnapshot[]
}

/** Remembers the state of all certificates, and turns a new one into what has changed: workers need no more than that. */
export class CertificateBoard {
  #state: CertificateState = { held: [], waiting: [] }

  /** The whole of it, for a worker that knows nothing yet. */
  all(): CertificateChange {
    return { put: this.#state.held.map(toSnapshot), remove: [], staples: [], waiting: this.#state.waiting }
  }

  /** Takes the new state and gives the difference. */
  update(state: CertificateState): CertificateChange {
    const before = new Map(this.#state.held.map(({ id, staple }) => [id, staple]))
    const after = new Set(state.held.map(({ id }) => id))
    this.#state = state
    return {
      put: state.held.filter(({ id }) => !before.has(id)).map(toSnapshot),
      remove: [...before.keys()].filter((id) => !after.has(id)),
      staples: state.held
        .filter(({ id, staple }) => before.has(id) && before.get(id) !== staple)
        .map(({ id, staple }) => ({ id, staple })),
      waiting: state.waiting,
    }
  }
}

function toSnapshot({ id, names, chain, privateKey, staple }: CertificateSnapshot): CertificateSnapshot {
  return { id, names, chain, privateKey, staple }
}
