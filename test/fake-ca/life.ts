import assert from 'node:assert/strict'
import { setImmediate } from 'node:timers/promises'
import { createTransport, type Transport } from '../../src/acme/transport.ts'
import { type Certificates, startCertificates } from '../../src/certificates/renewal.ts'
import type { CertificatesState } from '../../src/certificates/state.ts'
import { type SiteCertificates, wantedCertificates } from '../../src/certificates/wanted.ts'
import type { ChallengeAnswer, ChallengePublisher } from '../../src/challenges/challenge.ts'
import { createAcmeIssuer } from '../../src/issuers/acme.ts'
import type { AcmeIssuerConfig } from '../../src/issuers/acme-config.ts'
import type { Clock } from '../../src/system/clock.ts'
import { FakeClock } from '../fakes/fake-clock.ts'
import { MemoryStorage } from '../fakes/memory-storage.ts'
import { RecordingLog } from '../fakes/recording-log.ts'
import { FakeCa } from './fake-ca.ts'

export const SECOND = 1000
export const MINUTE = 60 * SECOND
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR

/** Within an order nothing sleeps longer, but for its deadlines: tests have no longer Retry-After that is waited for. */
const LONGEST_PAUSE = 45 * SECOND
/** No request hangs for longer than the transport bears. */
const PATIENCE = 30 * SECOND
/** So many turns of the event loop in which nothing happens: then nothing does. */
const QUIET_TURNS = 25

type Start = {
  readonly issuers?: readonly Partial<AcmeIssuerConfig>[]
  readonly sites?: readonly Partial<SiteCertificates>[]
}

/**
 * The certificates of a program, from config to storage, with CAs that it reaches over real sockets: the time that passes
 * is fake, and the transport's deadlines come true only where a CA hangs.
 */
export class Life {
  readonly clock = new FakeClock()
  readonly storage = new MemoryStorage()
  /** What stands at the frontends for CAs to see. */
  readonly standing = new Set<ChallengeAnswer>()
  readonly states: CertificatesState[] = []
  readonly cas: readonly FakeCa[]
  log = new RecordingLog()
  /** Which the transport's deadlines go by. */
  readonly #network = new FakeClock()
  #inFlight = 0
  #certificates: Certificates | undefined
  #started: Start = {}

  private constructor(cas: readonly FakeCa[]) {
    this.cas = cas
  }

  /** With so many CAs, of which the first is the one that is asked unless a test says otherwise. */
  static async open({ cas: count = 1 } = {}): Promise<Life> {
    const cas: FakeCa[] = []
    const life = new Life(cas)
    const now = (): number => life.clock.now()
    for (let index = 0; index < count; index++) cas.push(await FakeCa.open(now, life))
    return life
  }

  get ca(): FakeCa {
    return this.cas[0]!
  }

  get certificates(): Certificates {
    return this.#certificates!
  }

  /** The fingerprints of what is served. */
  get served(): string[] {
    return this.certificates.state.held.map(({ id }) => id)
  }

  /** What is remembered of the tries for the only certificate there is, as it is stored. */
  async attempt(): Promise<Record<string, unknown> | undefined> {
    const [key] = await this.storage.list('attempts')
    return key === undefined ? undefined : JSON.parse(String(await this.storage.get(key)))
  }

  /** As after a start of the program: nothing is left but the storage. */
  async start(started: Start = {}): Promise<void> {
    this.#started = started
    const sites = (started.sites ?? [{}]).map((site) => ({ ...aSite, site: site.names?.[0] ?? 'a.test', ...site }))
    this.log = new RecordingLog()
    this.#certificates = await startCertificates({
      wanted: wantedCertificates(sites),
      ownFiles: [],
      issuers: new Map(this.cas.map((ca, index) => [`ca${index}`, this.#issuer(ca, index)])),
      askResponder: async (url) => assert.fail(`${url} is asked`),
      storage: this.storage,
      clock: this.clock,
      random,
      log: this.log,
      onChange: (state) => void this.states.push(state()),
    })
    await this.settle()
  }

  async restart(started = this.#started): Promise<void> {
    await this.certificates.stop()
    await this.start(started)
  }

  async close(): Promise<void> {
    await this.#certificates?.stop()
    assert.equal(this.clock.sleeping, 0, 'nobody waits any more')
    for (const ca of this.cas) await ca.close()
  }

  /** Lets so much time pass, and what happens in it come to its end. */
  async live(ms: number): Promise<void> {
    const end = this.clock.now() + ms
    for (;;) {
      await this.settle()
      const { next } = this.clock
      if (next === undefined || next > end) break
      await this.clock.advance(next - this.clock.now())
    }
    await this.clock.advance(end - this.clock.now())
    await this.settle()
  }

  /** Lets what has begun come to its end; of time passes only what the orders under way wait for. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < QUIET_TURNS; quiet++) {
      await setImmediate()
      if (await this.#moves()) quiet = 0
    }
  }

  async #moves(): Promise<boolean> {
    if (this.#inFlight > 0) return this.#passOverHanging()
    if (!this.#isOrdering) return false
    const wait = (this.clock.next ?? Number.POSITIVE_INFINITY) - this.clock.now()
    if (wait <= LONGEST_PAUSE) await this.clock.advance(wait)
    return true
  }

  /** Where nothing else is under way, requests that are never answered come to their deadline. */
  async #passOverHanging(): Promise<boolean> {
    const hanging = new Set(this.cas.flatMap(({ faults }) => [...faults.hanging]))
    if (hanging.size !== this.#inFlight) return true
    await this.clock.advance(PATIENCE)
    await this.#network.advance(PATIENCE)
    while ([...hanging].some(({ closed }) => !closed)) await setImmediate()
    return true
  }

  get #isOrdering(): boolean {
    return this.#certificates?.report().some(({ orderedSince }) => orderedSince !== undefined) === true
  }

  #issuer(ca: FakeCa, index: number) {
    const { storage, clock, log } = this
    const config = { ...anIssuer, name: `ca${index}`, directory: ca.url, ...this.#started.issuers?.[index] }
    const transport = this.#counted(createTransport({ clock: this.#networkClock }))
    return createAcmeIssuer(config, { storage, clock, log, random, transport, publisher: this.#publisher })
  }

  get #networkClock(): Clock {
    return { now: () => this.clock.now(), sleep: (ms, signal) => this.#network.sleep(ms, signal) }
  }

  #counted(transport: Transport): Transport {
    return {
      send: async (request, signal) => {
        this.#inFlight++
        return transport.send(request, signal).finally(() => this.#inFlight--)
      },
    }
  }

  get #publisher(): ChallengePublisher {
    return {
      publish: async (answer) => void this.standing.add(answer),
      withdraw: async (answer) => void this.standing.delete(answer),
    }
  }
}

/** The dice always fall in the middle, so that no wait has jitter. */
const random = (): number => 0.5

const aSite = {
  names: ['a.test'],
  keys: ['ecdsa-p256'],
  grouping: 'perSite',
  mustStaple: false,
  issuersFor: () => ['ca0'],
} as const

const anIssuer = {
  acceptTerms: true,
  challenges: ['tls-alpn-01', 'http-01'],
  accountKey: 'ecdsa-p256',
  account: 'perIssuer',
} as const
