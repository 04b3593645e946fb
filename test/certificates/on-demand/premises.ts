import assert from 'node:assert/strict'
import type { AskReply } from '../../../src/certificates/on-demand/ask-client.ts'
import { OnDemand, type OnDemandOptions } from '../../../src/certificates/on-demand/on-demand.ts'
import { Permission } from '../../../src/certificates/on-demand/permission.ts'
import type { OnDemandSite } from '../../../src/certificates/on-demand/wanted.ts'
import { type Certificates, startCertificates } from '../../../src/certificates/renewal.ts'
import type { Issuer } from '../../../src/issuers/issuer.ts'
import { FakeClock } from '../../fakes/fake-clock.ts'
import { FakeIssuer } from '../../fakes/fake-issuer.ts'
import { MemoryStorage } from '../../fakes/memory-storage.ts'
import { RecordingLog } from '../../fakes/recording-log.ts'

type Settings = Partial<
  Pick<OnDemandOptions, 'waitMs' | 'waiting' | 'keepForMs'> & {
    readonly limits: Partial<OnDemandOptions['limits']>
    readonly keys: OnDemandSite['keys']
    readonly issuersFor: OnDemandSite['issuersFor']
  }
>

export const MINUTE = 60_000
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR

/** A machine that serves names on demand, which can be switched off and on, with a storage that stays. */
export class Premises {
  readonly clock = new FakeClock()
  readonly storage = new MemoryStorage()
  readonly ca = new FakeIssuer('ca', this.clock)
  /** What is published, by names. */
  readonly published: string[] = []
  /** What is asked, as name and address. */
  readonly asked: (readonly [name: string, address: string | undefined])[] = []
  /** How that is answered. */
  answer: (name: string) => AskReply | Promise<AskReply> = () => ({ status: 200, maxAgeMs: undefined })
  log = new RecordingLog()
  #certificates: Certificates | undefined
  #onDemand: OnDemand | undefined

  get certificates(): Certificates {
    return this.#certificates!
  }

  get onDemand(): OnDemand {
    return this.#onDemand!
  }

  async start(settings: Settings = {}): Promise<void> {
    const { clock, storage } = this
    const { keys = ['ecdsa-p256'], issuersFor = () => ['ca'], limits, ...times } = settings
    this.log = new RecordingLog()
    this.#certificates = await startCertificates({
      wanted: [],
      ownFiles: [],
      issuers: new Map<string, Issuer>([['ca', this.ca]]),
      askResponder: async (url) => assert.fail(`${url} is asked`),
      mayOrder: async (wanted, signal) => this.#onDemand?.mayOrder(wanted, signal),
      random: () => 0.5,
      log: this.log,
      onChange: (state) => void state(),
      ...{ clock, storage },
    })
    const ask = async (name: string, address: string | undefined): Promise<AskReply> => {
      this.asked.push([name, address])
      return this.answer(name)
    }
    const resolver = { addresses: async () => [] }
    this.#onDemand = new OnDemand({
      site: { site: '*', keys, mustStaple: false, issuersFor },
      permission: new Permission({ allow: [], ask, addresses: undefined, resolver, refusedForMs: 10 * MINUTE }),
      limits: { names: 1000, namesPerDomain: 1000, namesPerAddress: 1000, questions: 1000, ...limits },
      ...{ waitMs: 20_000, waiting: 100, refusedForMs: 10 * MINUTE, keepForMs: 30 * DAY, ...times },
      certificates: this.#certificates.added,
      publish: (held) => this.published.push(...held.flatMap(({ names }) => names)),
      ...{ clock, storage, random: () => 0.5, log: this.log },
    })
    this.#onDemand.start()
  }

  async stop(): Promise<void> {
    await Promise.all([this.certificates.stop(), this.onDemand.stop()])
  }

  /** What a client that comes gets, without time passing unless `withinMs` is given. */
  async want(name: string, address = '192.0.2.1', withinMs = 0) {
    let answer: Awaited<ReturnType<OnDemand['want']>> | undefined
    void this.onDemand.want(name, address).then((said) => {
      answer = said
    })
    if (withinMs > 0) await this.clock.advance(withinMs)
    await this.until(() => answer !== undefined)
    return answer!
  }

  /** How the answer is called, for what can only be that. */
  async typeOf(name: string, address?: string): Promise<string> {
    return (await this.want(name, address)).type
  }

  /** Names that are served from memory. */
  get serving(): string[] {
    return this.certificates.state.held.flatMap(({ names }) => names)
  }

  async until(isDone: () => boolean): Promise<void> {
    const giveUp = performance.now() + 20_000
    while (!isDone()) {
      if (performance.now() > giveUp)
        throw new Error(`not reached: ${isDone}; ${JSON.stringify(this.log.entries.slice(-5))}`)
      await new Promise((resolve) => setImmediate(resolve))
    }
    await this.clock.advance(0)
  }
}
