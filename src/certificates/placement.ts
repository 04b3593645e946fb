import { describeError } from '../errors.ts'
import { coversName } from '../pki/certificate.ts'
import type { Storage } from '../storage/storage.ts'
import type { Clock } from '../system/clock.ts'
import { abortable } from '../system/deadline.ts'
import { type Inventory, type Item, servedBy } from './inventory.ts'
import { unpackChain } from './packed-certificate.ts'
import { placeOf } from './place.ts'
import type { Progress } from './progress.ts'
import { ProofError, type Prove } from './proof.ts'
import { formerIdOf, type StoredCertificate, storeCertificate } from './record.ts'
import { setAside } from './set-aside.ts'
import type { StandIn } from './stand-ins.ts'
import type { Staples } from './staples.ts'
import { awaitSuccession } from './succession.ts'
import type { Unsaved } from './unsaved.ts'

export type PlacementOptions = {
  readonly storage: Storage
  readonly clock: Clock
  readonly inventory: Pick<Inventory, 'hold' | 'drop' | 'siblingsOf'>
  readonly unsaved: Unsaved
  readonly staples: Staples
  readonly progress: Progress
  /** Undefined where nothing is served that could be tried. */
  readonly prove: Prove | undefined
  /** The workers are to be told. Resolves once they have been. */
  readonly tell: () => Promise<void>
  /** All that serves, for the staples. */
  readonly keepStaples: () => Promise<void>
  readonly signal: AbortSignal
}

/** What has just been put in its place, and what was there before, to be put back. */
export type Placed = Pick<Item, 'held' | 'standIns'> & {
  readonly item: Item
  readonly wasServed: boolean
  /** What was there is good enough to be put back: clients took it. */
  readonly wasGood: boolean
  readonly hadResponder: boolean
  /** Resolves once the workers have been told. */
  readonly told: Promise<void>
}

/** Proofs at a time: each is a few handshakes with the workers, which have clients to serve. */
const PROOFS_AT_ONCE = 5

/** Puts a certificate in the place of the former one, and that one back if clients do not meet the new one as they should. */
export class Placement {
  readonly #options: PlacementOptions
  /** Those that took nobody's place: nobody waits for their proofs. */
  readonly #later = new Set<Promise<void>>()
  readonly #coming = new Set<StoredCertificate>()
  readonly #lanes: Promise<unknown>[] = Array.from({ length: PROOFS_AT_ONCE }, () => Promise.resolve())
  #nextLane = 0

  constructor(options: PlacementOptions) {
    this.#options = options
  }

  /** What is about to serve, for the staples. */
  get coming(): Iterable<StoredCertificate> {
    return this.#coming
  }

  /**
   * Stored first: what serves must survive a crash. Only if the storage fails does it serve without. `onLongWait` is called
   * if it is put there only when a responder has answered, or cannot be waited for any longer.
   */
  async place(item: Item, issued: StoredCertificate, onLongWait = (): void => {}): Promise<Placed> {
    const { inventory, tell } = this.#options
    const kept = await this.#keepForLostNames(item, issued)
    await this.#prepare(item, issued, onLongWait)
    const { held, standIns } = item
    const servedBefore = servedBy(item)
    inventory.hold(item, issued)
    item.standIns = kept
    const hadResponder = servedBefore.some(
      ({ certificate: { ocspUrl, mustStaple } }) => ocspUrl !== undefined || mustStaple,
    )
    const wasServed = servedBefore.length > 0
    const wasGood = [held, ...standIns.map(({ stored }) => stored)].some((each) => this.#isGood(each))
    return { item, held, standIns, wasServed, wasGood, hadResponder, told: tell() }
  }

  /**
   * Looks whether clients meet it. Waits for that only where there was something before, and gives whether they do as far as
   * is known then; rejects with ProofError after what was there was put back. What clients refuse is not put back.
   */
  async prove(placed: Placed): Promise<boolean> {
    const isRight = placed.wasServed ? await this.#proveOrPutBack(placed) : this.#proveLater(placed)
    // Only then, for this looks at all that there are.
    if (placed.hadResponder) await this.#options.keepStaples()
    return isRight
  }

  /** Until it is what the storage has: what was held may be marked as revoked by hand meanwhile, and stored once more. */
  async #prepare(item: Item, issued: StoredCertificate, onLongWait: () => void): Promise<void> {
    let savedOver: StoredCertificate | undefined
    this.#coming.add(issued)
    try {
      do {
        savedOver = item.held
        await this.#options.unsaved.save(item, issued)
        await this.#stapleFirst(item, issued, onLongWait)
      } while (item.held !== savedOver)
    } finally {
      this.#coming.delete(issued)
    }
  }

  /** Whether clients take it now. */
  #isGood(stored: StoredCertificate | undefined): boolean {
    const { clock, staples } = this.#options
    if (stored === undefined || stored.certificate.notAfter <= clock.now()) return false
    const isRevoked = stored.revokedByHand !== undefined || staples.revocation(stored.certificate) !== undefined
    return !isRevoked && stored.keyFault === undefined
  }

  /** Resolves when no proof is under way any more. */
  async settled(): Promise<void> {
    await Promise.all(this.#later)
  }

  async #stapleFirst(item: Item, issued: StoredCertificate, onLongWait: () => void): Promise<void> {
    const { staples, progress, signal } = this.#options
    const { held, wanted, wish } = item
    await staples.add([{ ...issued, ownership: 'issued' }])
    if (held !== undefined && isAsGood(held, item)) {
      const onLong = (until: number): void => {
        progress.awaitsStaple(wanted, until)
        onLongWait()
      }
      const waiting = { isUrgent: wish !== undefined, onLongWait: onLong, signal }
      await awaitSuccession(held.certificate, issued.certificate, this.#options, waiting)
    }
    if (issued.certificate.mustStaple) await staples.first(issued.certificate)
  }

  /** A name that the new one lacks is served by the former one for as long as that is good, over restarts too. */
  async #keepForLostNames({ wanted, held }: Item, issued: StoredCertificate): Promise<StandIn[]> {
    const { storage, clock, progress } = this.#options
    if (held === undefined || held.certificate.notAfter < clock.now()) return []
    const names = wanted.names.filter(
      (name) => coversName(held.certificate.names, name) && !coversName(issued.certificate.names, name),
    )
    if (names.length === 0) return []
    await storeCertificate(storage, formerIdOf(wanted.id), held).catch((error) => progress.notStored(wanted, error))
    return [{ stored: held, names }]
  }

  async #proveOrPutBack(placed: Placed): Promise<boolean> {
    try {
      await this.#ask(placed)
      return true
    } catch (error) {
      if (!(error instanceof ProofError)) throw error
      if (placed.wasGood) {
        await this.#putBack(placed)
        throw error
      }
      this.#options.progress.wronglyServed(placed.item.wanted, describeError(error))
      return false
    }
  }

  async #putBack({ item, held, standIns }: Placed): Promise<void> {
    const { inventory, unsaved, staples, storage, progress, tell, keepStaples } = this.#options
    const rejected = item.held
    inventory.drop(item)
    item.saveAgainAt = undefined
    item.standIns = standIns
    if (held !== undefined) {
      await staples.add([{ ...held, ownership: 'issued' }])
      inventory.hold(item, held)
      await unsaved.save(item, held)
    } else {
      // Or else it would serve after a restart. What stands in has a place of its own.
      const whereabouts = await setAside(storage, placeOf('certificates', item.wanted.id))
      progress.setAside(item.wanted, whereabouts)
    }
    void tell()
    if (rejected?.certificate.ocspUrl !== undefined) await keepStaples()
  }

  /** There is nothing to go back to: what is wrong is said, and it serves all the same. */
  #proveLater(placed: Placed): true {
    const { progress, signal } = this.#options
    const proving = this.#ask(placed)
      .catch((error) => {
        if (!signal.aborted) progress.wronglyServed(placed.item.wanted, describeError(error))
      })
      .finally(() => this.#later.delete(proving))
    this.#later.add(proving)
    return true
  }

  /** Where many come at once, one telling of the workers is waited for by all of them. */
  async #ask(placed: Placed): Promise<void> {
    const { prove, signal } = this.#options
    if (prove === undefined) return
    const { held } = placed.item
    await abortable(placed.told, signal)
    await this.#inLane(async () => {
      signal.throwIfAborted()
      // Or else it has been replaced meanwhile.
      if (placed.item.held === held) await this.#askNow(placed, prove)
    })
  }

  #inLane(work: () => Promise<void>): Promise<void> {
    const lane = this.#nextLane
    this.#nextLane = (lane + 1) % PROOFS_AT_ONCE
    const done = this.#lanes[lane]!.then(work)
    this.#lanes[lane] = done.catch(() => {})
    return done
  }

  async #askNow({ item, held: former }: Placed, prove: Prove): Promise<void> {
    const { staples, inventory, progress, signal } = this.#options
    const [own] = servedBy(item)
    if (item.held === undefined || own === undefined || own.names.length === 0) return
    const { certificate, packed } = item.held
    const expected = {
      names: own.names,
      chain: unpackChain(packed),
      staple: () => staples.staple(certificate),
      siblings: inventory.siblingsOf(item).flatMap(({ held }) => held?.certificate.fingerprint ?? []),
      former: former?.certificate,
    }
    if ((await prove(expected, signal)) === 'proven') progress.proven(item.wanted)
    else progress.unproven(item.wanted)
  }
}

/** It could serve on for a while, as if there were no successor. */
function isAsGood({ certificate, keyFault, revokedByHand }: StoredCertificate, { wanted }: Item): boolean {
  if (keyFault !== undefined || revokedByHand !== undefined || certificate.keyKind !== wanted.keyKind) return false
  return wanted.names.every((name) => coversName(certificate.names, name))
}
