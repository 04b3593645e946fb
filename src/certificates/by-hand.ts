import type { RevocationReason } from '../acme/revocation.ts'
import { CastellanError, describeError } from '../errors.ts'
import type { Issuer } from '../issuers/issuer.ts'
import { accountKeyFingerprints } from '../issuers/stored-accounts.ts'
import type { Storage } from '../storage/storage.ts'
import type { Clock } from '../system/clock.ts'
import type { Attention } from './attention.ts'
import { type Imported, importBusy, readImports } from './import.ts'
import type { Inventory, Item } from './inventory.ts'
import type { OwnCertificates } from './own-files.ts'
import { isOnDemandId } from './place.ts'
import type { Placement } from './placement.ts'
import type { Progress } from './progress.ts'
import type { CertificateReport } from './report.ts'
import { revokeHeld } from './revocation.ts'
import { selectByName } from './selection.ts'
import type { Unsaved } from './unsaved.ts'
import type { WantedCertificate } from './wanted.ts'
import { type Asked, addWish, type Selection } from './wish.ts'

/** What is known by a name, with an item if Castellan orders it. */
type Known = Pick<Asked, 'id' | 'names' | 'keyKind'> & {
  readonly item: Item | undefined
  readonly report: () => CertificateReport
}

export type ByHandOptions = {
  readonly wanted: readonly WantedCertificate[]
  readonly issuers: ReadonlyMap<string, Issuer>
  readonly storage: Storage
  readonly clock: Clock
  readonly inventory: Inventory
  readonly own: OwnCertificates
  readonly placement: Placement
  readonly unsaved: Unsaved
  readonly progress: Progress
  /** Something about it has changed: it is to be planned anew. */
  readonly plan: (item: Item) => void
  /** It is not to be ordered, whatever changes, until it is given back. */
  readonly occupy: (item: Item) => void
  readonly giveBack: (item: Item) => void
  readonly attention: Attention
  /** Aborted when the program stops. */
  readonly signal: AbortSignal
}

/** What an operator sees of the certificates, and does with them by hand. */
export class ByHand {
  readonly #options: ByHandOptions
  /** What is written or asked of CAs. */
  readonly #underWay = new Set<Promise<unknown>>()

  constructor(options: ByHandOptions) {
    this.#options = options
  }

  /**
   * How it stands with each of the sites, in the order of the config and then those that an operator brings; or, whole with
   * their chains, with those of a name, on demand or not. Throws UnknownCertificateError.
   */
  report(name?: string): CertificateReport[] {
    const { inventory, own } = this.#options
    if (name === undefined) {
      const items = inventory.items.filter(({ wanted }) => !isOnDemandId(wanted.id))
      return [...items.map((item) => inventory.report(item, false)), ...own.report(false)]
    }
    return selectByName(this.#known(), name).map((known) => known.report())
  }

  /**
   * Tries at once what waits after a failure: all of it, or what a name means. Throws UnknownCertificateError. The waits that
   * follow are as long as if it had waited.
   */
  async retry(selection: Selection): Promise<Asked[]> {
    const known = selection === 'all' ? this.#waitingItems() : selectByName(this.#known(), selection.name)
    return this.#askFor(known, false)
  }

  /** Orders at once what a name means, due or not. Throws UnknownCertificateError. */
  async renew(name: string): Promise<Asked[]> {
    return this.#askFor(selectByName(this.#known(), name), true)
  }

  /**
   * Has what a name means revoked by its CA; what is revoked is replaced at once, each by one with a new key. Throws
   * UnknownCertificateError.
   */
  revoke(name: string, reason: RevocationReason): Promise<Asked[]> {
    return this.#tracked(this.#revoke(name, reason))
  }

  /** Takes over certificates with their keys out of PEM files. Throws ImportError, and then has taken over none; or
   * ProofError, if clients do not meet one of them as they should, which is not taken over then. */
  import(files: readonly string[]): Promise<Asked[]> {
    return this.#tracked(this.#import(files))
  }

  /** Resolves when nothing that changes anything is under way any more. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#underWay)
  }

  #tracked<T>(work: Promise<T>): Promise<T> {
    this.#underWay.add(work)
    const end = (): void => void this.#underWay.delete(work)
    work.then(end, end)
    return work
  }

  async #revoke(name: string, reason: RevocationReason): Promise<Asked[]> {
    const known = selectByName(this.#known(), name)
    const refused: Asked[] = []
    for (const { item, id, names, keyKind } of known) {
      const fault = item === undefined ? undefined : await this.#revokeOne(item, reason)
      if (fault === undefined) continue
      refused.push({ id, names, keyKind, left: [], outcome: Promise.resolve({ status: 'not-revoked', reason: fault }) })
    }
    const rest = known.filter(({ id }) => !refused.some((each) => each.id === id))
    return [...(await this.#askFor(rest, false)), ...refused]
  }

  async #import(files: readonly string[]): Promise<Asked[]> {
    const { wanted, issuers, storage, clock } = this.#options
    const accountKeys = await accountKeyFingerprints(storage)
    const imports = readImports(files, { wanted, issuers, accountKeys, now: clock.now() })
    const busy = imports.find(({ wanted }) => this.#itemOf(wanted).orderedSince !== undefined)
    if (busy !== undefined) throw importBusy(busy.wanted)
    const taken = await Promise.allSettled(imports.map((each) => this.#takeOver(each)))
    const failed = taken.find((each) => each.status === 'rejected')
    if (failed !== undefined) throw failed.reason
    return taken.flatMap((each) => (each.status === 'fulfilled' ? each.value : []))
  }

  #itemOf(wanted: WantedCertificate): Item {
    return this.#options.inventory.items.find((item) => item.wanted === wanted)!
  }

  async #takeOver({ wanted, stored }: Imported): Promise<Asked> {
    const { id, names, keyKind, issuers } = wanted
    const { clock, placement, inventory, progress, attention, occupy, giveBack } = this.#options
    const item = this.#itemOf(wanted)
    item.orderedSince = clock.now()
    // Its successor would overwrite it.
    occupy(item)
    try {
      await placement.prove(await placement.place(item, stored))
      await inventory.attempts.succeed(wanted.id)
      progress.imported(wanted, stored)
      attention.settled(wanted)
    } finally {
      item.orderedSince = undefined
      giveBack(item)
    }
    const outcome = { status: 'obtained', issuer: issuers[0]!, notAfter: stored.certificate.notAfter } as const
    return { id, names, keyKind, left: [], outcome: Promise.resolve(outcome) }
  }

  /** Why it was not revoked, in words. */
  async #revokeOne(item: Item, reason: RevocationReason): Promise<string | undefined> {
    const { held, wanted } = item
    if (held === undefined) return 'There is none yet.'
    try {
      const revoked = await revokeHeld(wanted, held, reason, this.#options, this.#options.signal)
      await this.#options.inventory.attempts.startAnew(wanted.id)
      // Or else it has been replaced meanwhile.
      if (item.held === held) {
        this.#options.inventory.hold(item, revoked)
        await this.#options.unsaved.save(item, revoked)
      }
      this.#options.plan(item)
      return undefined
    } catch (error) {
      if (!(error instanceof CastellanError)) throw error
      return describeError(error)
    }
  }

  #known(): Known[] {
    const own = this.#options.own.known.map((known) => ({ ...known, item: undefined }))
    return [...this.#options.inventory.items.map((item) => this.#know(item)), ...own]
  }

  #know(item: Item): Known {
    const { id, names, keyKind } = item.wanted
    return { id, names, keyKind, item, report: () => this.#options.inventory.report(item, true) }
  }

  #waitingItems(): Known[] {
    const { inventory, clock } = this.#options
    const now = clock.now()
    return inventory.items.filter((item) => inventory.isWaiting(item, now)).map((item) => this.#know(item))
  }

  async #askFor(known: readonly Known[], isRenewal: boolean): Promise<Asked[]> {
    const { inventory, clock, plan } = this.#options
    const now = clock.now()
    const asked: Asked[] = []
    const written: Promise<void>[] = []
    for (const { id, names, keyKind, item } of known) {
      const left = item === undefined ? [] : inventory.leftFor(item, now)
      // In one go with the wish: no look at the plan comes between.
      if (item !== undefined && item.orderedSince === undefined)
        written.push(inventory.attempts.hurry(id), inventory.leftOut.hurry(id))
      if (item !== undefined) item.wish = addWish(item.wish, isRenewal, now)
      if (item !== undefined) plan(item)
      asked.push({ id, names, keyKind, left, outcome: item?.wish?.outcome ?? Promise.resolve({ status: 'own-files' }) })
    }
    await Promise.all(written)
    return asked
  }
}
