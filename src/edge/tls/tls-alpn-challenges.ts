import type { SecureContext } from 'node:tls'
import { describeError } from '../../errors.ts'
import type { Log } from '../../telemetry/log.ts'
import type { ChallengeSnapshot } from '../snapshot.ts'
import { createContext } from './context.ts'

/** The protocol by which a CA asks for the answer (RFC 8737 §6.2). */
export const ACME_TLS = 'acme-tls/1'

export type TlsAlpnChallenge = Extract<ChallengeSnapshot, { type: 'tls-alpn-01' }>

/** The answers to the tls-alpn-01 challenges that are pending (RFC 8737), by the name that the CA will ask for. */
export class TlsAlpnChallenges {
  readonly #pending = new Map<string, { readonly certificate: string; readonly context: SecureContext }>()
  readonly #log: Log

  constructor(log: Log) {
    this.#log = log
  }

  /** A certificate that OpenSSL does not take is logged, and there is no answer then. */
  publish({ serverName, certificate, privateKey }: TlsAlpnChallenge): void {
    try {
      this.#pending.set(serverName, { certificate, context: createContext({ chain: certificate, privateKey }) })
    } catch (error) {
      const message =
        `The certificate that answers the tls-alpn-01 challenge for ${serverName} cannot be used: ` +
        `${describeError(error)}. The CA will not find an answer; the next attempt makes a new one.`
      this.#log.error('challenge-unusable', message, { name: serverName })
    }
  }

  /** Leaves a later challenge of the same name alone. */
  withdraw({ serverName, certificate }: TlsAlpnChallenge): void {
    if (this.#pending.get(serverName)?.certificate === certificate) this.#pending.delete(serverName)
  }

  context(serverName: string): SecureContext | undefined {
    return this.#pending.get(serverName)?.context
  }
}
