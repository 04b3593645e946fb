import { readAccount } from '../acme/account-care.ts'
import type { AcmeClient } from '../acme/client.ts'
import { CastellanError } from '../errors.ts'
import type { Storage } from '../storage/storage.ts'
import type { AcmeAccounts } from './acme-account.ts'
import type { AccountReport, IssuerAccounts } from './issuer.ts'
import type { SharedUse } from './shared-use.ts'
import { accountReport, type PlacedAccount, storedAccounts } from './stored-accounts.ts'

export type AccountsCareOptions = {
  /** The issuer's, as the config calls it. */
  readonly issuer: string
  readonly storage: Storage
  readonly accounts: AcmeAccounts
  /** The orders that use the accounts. */
  readonly use: SharedUse
  readonly connect: (signal: AbortSignal) => Promise<AcmeClient>
}

/** What an operator does by hand with the accounts of an ACME issuer. */
export class AcmeAccountsCare implements IssuerAccounts {
  readonly #options: AccountsCareOptions

  constructor(options: AccountsCareOptions) {
    this.#options = options
  }

  async show(signal: AbortSignal): Promise<AccountReport[]> {
    const { issuer, storage } = this.#options
    const reports: AccountReport[] = []
    for (const placed of await this.#stored())
      reports.push(accountReport(placed, issuer, storage, await this.#ask(placed, signal)))
    return reports
  }

  rollOver(signal: AbortSignal): Promise<AccountReport[]> {
    const { issuer, storage, accounts, use, connect } = this.#options
    return use.alone(signal, async () => {
      const client = await connect(signal)
      for (const { place } of await this.#stored()) await accounts.rollOver(client, place, signal)
      return (await this.#stored()).map((placed) => accountReport(placed, issuer, storage))
    })
  }

  deactivate(signal: AbortSignal): Promise<AccountReport[]> {
    const { issuer, storage, accounts, use, connect } = this.#options
    return use.alone(signal, async () => {
      const client = await connect(signal)
      const before = await this.#stored()
      for (const { place } of before) await accounts.deactivate(client, place, signal)
      const seen = { status: 'deactivated', fault: undefined } as const
      return before.map((placed) => accountReport(placed, issuer, storage, seen))
    })
  }

  #stored(): Promise<PlacedAccount[]> {
    const { storage, issuer } = this.#options
    return storedAccounts(storage, issuer)
  }

  /** A CA that does not answer is no reason not to show what is stored. */
  async #ask(
    { account: { key, url } }: PlacedAccount,
    signal: AbortSignal,
  ): Promise<Pick<AccountReport, 'status' | 'fault'>> {
    if (url === undefined) return { status: undefined, fault: 'the CA has not registered it yet' }
    try {
      const { status } = await readAccount(await this.#options.connect(signal), { key, url }, signal)
      return { status, fault: undefined }
    } catch (error) {
      if (!(error instanceof CastellanError)) throw error
      return { status: undefined, fault: error.message }
    }
  }
}
