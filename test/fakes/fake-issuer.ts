import { CastellanError } from '../../src/errors.ts'
import type { CertificateRequest, IssuedCertificate, Issuer } from '../../src/issuers/issuer.ts'
import {
  type CertificateAuthority,
  createCertificateAuthority,
  issueCertificate,
} from '../../src/pki/certificate-authority.ts'
import type { KeyKind } from '../../src/pki/key-kind.ts'
import { exportPrivateKey, generateKey, type KeyPair } from '../../src/pki/keys.ts'
import type { Clock } from '../../src/system/clock.ts'

const START = Date.parse('2026-11-24T12:00:00Z')

/** One CA and one key of each kind for a whole test file: making them is what costs. */
let authority: Promise<CertificateAuthority> | undefined
const keys = new Map<KeyKind, Promise<KeyPair>>()

function keyOf(kind: KeyKind): Promise<KeyPair> {
  const key = keys.get(kind) ?? generateKey(kind)
  keys.set(kind, key)
  return key
}

/** Issues real certificates of any lifetime, at the time of a fake clock, and fails on demand. */
export class FakeIssuer implements Issuer {
  readonly name: string
  authority: string
  settings = 'settings'
  readonly requests: CertificateRequest[] = []
  /** At a time, the most there ever were. */
  mostAtOnce = 0
  lifetimeMs = 90 * 86_400_000
  /** What each request meets before it is granted. */
  before: (request: CertificateRequest, signal: AbortSignal) => Promise<void> = async () => {}
  /** Given in place of what was asked for. */
  answer: ((issued: IssuedCertificate) => IssuedCertificate) | undefined
  /** What it says of when to renew; undefined: it says nothing of the kind. */
  renewalInfo: Issuer['renewalInfo']
  /** Set for a CA that has accounts. */
  accountFor: ((site: string) => string) | undefined
  /** When it was asked whether it is there. */
  readonly probes: number[] = []
  /** What it then meets. */
  beforeProbe: () => void = () => {}
  /** What it does to revoke; undefined: it has no such thing. */
  revoke: Issuer['revoke']
  #running = 0
  readonly #clock: Clock

  constructor(name: string, clock: Clock) {
    this.name = name
    this.authority = `https://${name}.test/directory`
    this.#clock = clock
  }

  /** From now on every request is refused with these words. */
  fail(words: string, retryAfterMs?: number): void {
    this.recover()
    this.before = async () => {
      throw Object.assign(new CastellanError('order-refused', words), { retryAfterMs })
    }
  }

  /** From now on nobody answers; `probe: 'answered'` where that is so for orders only. */
  breakDown(words: string, { retryAfterMs, probe }: { retryAfterMs?: number; probe?: 'answered' } = {}): void {
    const refuse = (): void => {
      throw Object.assign(new CastellanError('ca-unreachable', words), { retryAfterMs, concernsCa: true })
    }
    this.before = async () => refuse()
    this.beforeProbe = probe === 'answered' ? () => {} : refuse
  }

  /** From now on the CA cannot validate the names. */
  refuseNames(): void {
    this.recover()
    this.before = async () => {
      throw Object.assign(new CastellanError('authorization-failed', 'nobody answers there'), { concernsNames: true })
    }
  }

  recover(): void {
    this.before = async () => {}
    this.beforeProbe = () => {}
  }

  async probe(): Promise<void> {
    this.probes.push(this.#clock.now())
    this.beforeProbe()
  }

  async issue(request: CertificateRequest, signal: AbortSignal): Promise<IssuedCertificate> {
    this.requests.push(request)
    this.#running++
    this.mostAtOnce = Math.max(this.mostAtOnce, this.#running)
    try {
      await this.before(request, signal)
      authority ??= createCertificateAuthority({ label: 'test', now: START })
      const { publicKey, privateKey } = await keyOf(request.keyKind)
      const terms = { names: request.names, publicKey, now: this.#clock.now(), lifetimeMs: this.lifetimeMs }
      const issued = { chain: await issueCertificate(await authority, terms), privateKey: exportPrivateKey(privateKey) }
      return this.answer?.(issued) ?? issued
    } finally {
      this.#running--
    }
  }
}
