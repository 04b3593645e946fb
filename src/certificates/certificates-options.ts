import type { Attention } from './attention.ts'
import type { InventoryOptions } from './inventory.ts'
import type { OwnFiles } from './own-files.ts'
import type { Prove } from './proof.ts'
import type { Certificates } from './renewal.ts'
import type { AskResponder } from './responder.ts'
import type { CertificatesState } from './state.ts'
import type { WantedCertificate } from './wanted.ts'

/** What the certificates of a program are looked after with. */
export type CertificatesOptions = InventoryOptions & {
  readonly ownFiles: readonly OwnFiles[]
  /** Who sees to it that a person hears of what does not mend itself; nobody unless given. */
  readonly attention?: Attention
  /** For the OCSP staples of certificates that name a responder. */
  readonly askResponder: AskResponder
  /** Asked before each order. Throws if it is not to be ordered any more, which then counts as a failure. */
  readonly mayOrder?: (wanted: WantedCertificate, signal: AbortSignal) => Promise<void>
  /**
   * Called whenever the state has changed, but not for the first one. The state is put together when it is asked for. Resolves
   * once those who serve have been told.
   */
  readonly onChange: (state: () => CertificatesState) => Promise<void> | void
  /** Looks whether clients meet what they should; undefined where nothing serves. */
  readonly prove?: Prove
  /** Who looks after the certificates until `handOver` is called of it. */
  readonly former?: Certificates | undefined
}
