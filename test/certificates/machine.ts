import assert from 'node:assert/strict'
import { type Attention, noAttention } from '../../src/certificates/attention.ts'
import type { CertificatesOptions } from '../../src/certificates/certificates-options.ts'
import type { Limits } from '../../src/certificates/ledger/limits.ts'
import type { OwnFiles } from '../../src/certificates/own-files.ts'
import type { Prove } from '../../src/certificates/proof.ts'
import { type Certificates, loadCertificates, startCertificates } from '../../src/certificates/renewal.ts'
import type { AskResponder } from '../../src/certificates/responder.ts'
import type { CertificatesState } from '../../src/certificates/state.ts'
import { type SiteCertificates, wantedCertificates } from '../../src/certificates/wanted.ts'
import type { Clock } from '../../src/system/clock.ts'
import { FakeClock } from '../fakes/fake-clock.ts'
import { FakeIssuer } from '../fakes/fake-issuer.ts'
import { MemoryStorage } from '../fakes/memory-storage.ts'
import { RecordingLog } from '../fakes/recording-log.ts'

export const MINUTE = 60_000
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR

/** A machine that can be switched off and on, with a storage that stays. */
export class Machine {
  /** The time that passes. */
  readonly clock = new FakeClock()
  /** How far ahead of that somebody has set this machine's clock. */
  aheadMs = 0
  readonly localClock: Clock = {
    now: () => this.clock.now() + this.aheadMs,
    sleep: (ms, signal) => this.clock.sleep(ms, signal),
  }
  readonly storage = new MemoryStorage()
  readonly ca = new FakeIssuer('ca', this.localClock)
  readonly second = new FakeIssuer('second', this.localClock)
  readonly states: CertificatesState[] = []
  ownFiles: readonly OwnFiles[] = []
  /** Asked for no certificate of the fake issuers, as those name no responder. */
  askResponder: AskResponder = async (url) => assert.fail(`${url} is asked`)
  /** What the CAs publish. */
  limitsOf: (authority: string) => Limits = () => ({})
  /** Who hears of what does not mend itself. */
  attention: Attention = noAttention
  /** What says whether clients meet what they should. */
  prove: Prove = async () => 'proven'
  log = new RecordingLog()
  random = 0.5
  #certificates: Certificates | undefined

  get certificates(): Certificates {
    return this.#certificates!
  }

  async start(...sites: Partial<SiteCertificates>[]): Promise<void> {
    this.log = new RecordingLog()
    this.#certificates = await startCertificates(this.#options(sites))
  }

  /** Goes over to other sites, as a reload does. Gives the end of all that the former had begun. */
  async change(...sites: Partial<SiteCertificates>[]): Promise<{ readonly handedOver: Promise<void> }> {
    const former = this.certificates
    former.rest()
    this.#certificates = await loadCertificates({ ...this.#options(sites), former })
    return { handedOver: former.handOver(this.#certificates) }
  }

  readonly #limits = (authority: string): Limits => this.limitsOf(authority)

  #options(sites: readonly Partial<SiteCertificates>[]): CertificatesOptions {
    const filled = (sites.length === 0 ? [{}] : sites).map((each) => ({
      site: each.names?.[0] ?? 'a.test',
      names: ['a.test'],
      keys: ['ecdsa-p256'] as const,
      grouping: 'perSite' as const,
      mustStaple: false,
      issuersFor: () => ['ca'],
      ...each,
    }))
    return {
      wanted: wantedCertificates(filled),
      ownFiles: this.ownFiles,
      issuers: new Map([
        ['ca', this.ca],
        ['second', this.second],
      ]),
      attention: this.attention,
      askResponder: (...question) => this.askResponder(...question),
      storage: this.storage,
      clock: this.localClock,
      random: () => this.random,
      log: this.log,
      limitsOf: this.#limits,
      prove: (...question) => this.prove(...question),
      onChange: (state) => void this.states.push(state()),
    }
  }

  /** Lets what has begun come to its end, without moving time. */
  async until(isDone: () => boolean): Promise<void> {
    const giveUp = performance.now() + 60_000
    while (!isDone()) {
      if (performance.now() > giveUp)
        throw new Error(`not reached: ${isDone}; ${JSON.stringify(this.log.entries.slice(-5))}`)
      await new Promise((resolve) => setImmediate(resolve))
    }
    await this.clock.advance(0)
  }

  async untilLogged(event: string, count = 1): Promise<void> {
    await this.until(() => this.log.of(event).length >= count)
  }

  /** Moves time from one alarm to the next, letting each order come to its end. */
  async live(ms: number): Promise<void> {
    const end = this.clock.now() + ms
    for (;;) {
      const { next } = this.clock
      if (next === undefined || next > end) break
      await this.clock.advance(next - this.clock.now())
      await this.until(() => this.#outcomes() >= this.log.of('certificate-requested').length)
    }
    await this.clock.advance(end - this.clock.now())
  }

  #outcomes(): number {
    return ['issued', 'renewed', 'failed', 'put-off', 'kept', 'awaits-staple'].reduce(
      (sum, event) => sum + this.log.of(`certificate-${event}`).length,
      0,
    )
  }
}
