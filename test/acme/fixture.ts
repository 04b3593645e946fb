import type { Account } from '../../src/acme/account.ts'
import { newAccount } from '../../src/acme/account.ts'
import { AcmeClient } from '../../src/acme/client.ts'
import { accountKey } from '../../src/acme/jws.ts'
import { NoncePool } from '../../src/acme/nonces.ts'
import { createTransport } from '../../src/acme/transport.ts'
import { generateKey } from '../../src/pki/keys.ts'
import { FakeClock } from '../fakes/fake-clock.ts'
import { RecordingLog } from '../fakes/recording-log.ts'
import { ScriptedCa } from './scripted-ca.ts'

export const forever = new AbortController().signal

/** A scripted CA, and a client of it with an account. */
export class Fixture {
  /** Of the protocol. */
  readonly clock = new FakeClock()
  /** Of the transport: it stands still unless a test moves it, so that no request is ever late by itself. */
  readonly network = new FakeClock()
  readonly log = new RecordingLog()
  readonly nonces = new NoncePool()
  readonly ca: ScriptedCa
  client!: AcmeClient
  account!: Account

  private constructor(ca: ScriptedCa) {
    this.ca = ca
  }

  static async open(): Promise<Fixture> {
    const fixture = new Fixture(await ScriptedCa.open())
    fixture.client = await fixture.connect()
    const key = await accountKey((await generateKey('ecdsa-p256')).privateKey)
    fixture.account = await newAccount(fixture.client, key, { acceptTerms: true }, forever)
    return fixture
  }

  connect(): Promise<AcmeClient> {
    const { clock, network, log, nonces, ca } = this
    const transport = createTransport({ clock: network })
    const options = {
      directoryUrl: ca.directory,
      transport,
      nonces,
      clock,
      log,
      random: () => 0.5,
      userAgent: 'test/1',
    }
    return AcmeClient.connect(options, forever)
  }

  close(): Promise<void> {
    return this.ca.close()
  }
}
