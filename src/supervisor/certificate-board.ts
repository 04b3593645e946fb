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
    return { put: this.#state.held.map(toSnapshot), remove: [], waiting: this.#state.waiting }
  }

  /** Takes the new state and gives the difference. */
  update(state: CertificateState): CertificateChange {
    const before = new Set(this.#state.held.map(({ id }) => id))
    const after = new Set(state.held.map(({ id }) => id))
    this.#state = state
    return {
      put: state.held.filter(({ id }) => !before.has(id)).map(toSnapshot),
      remove: [...before].filter((id) => !after.has(id)),
      waiting: state.waiting,
    }
  }
}

function toSnapshot({ id, names, chain, privateKey }: CertificateSnapshot): CertificateSnapshot {
  return { id, names, chain, privateKey }
}
