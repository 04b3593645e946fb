import { createPublicKey, type KeyObject } from 'node:crypto'
import { type Account, findAccount, newAccount, type Registration, updateContact } from '../acme/account.ts'
import { changeAccountKey, deactivateAccount } from '../acme/account-care.ts'
import { AcmeError } from '../acme/acme-error.ts'
import type { AcmeClient } from '../acme/client.ts'
import { type AccountKey, accountKey } from '../acme/jws.ts'
import type { KeyKind } from '../pki/key-kind.ts'
import type { generateKey } from '../pki/keys.ts'
import type { Storage, StorageReader } from '../storage/storage.ts'
import { abortable } from '../system/deadline.ts'
import type { Log } from '../telemetry/log.ts'
import { formatAccount, parseAccount, type StoredAccount } from './acme-account-record.ts'

/** Several orders may wait for one registration, so none of them can call it off; each request has its own deadline. */
const FOR_ALL = new AbortController().signal

export type AccountsOptions = {
  readonly storage: Storage
  readonly log: Log
  readonly generateKey: typeof generateKey
  /** Of keys made from now on: an account keeps its key. */
  readonly keyKind: KeyKind
  readonly registration: Registration
  /** Called with the place of each account that was made. */
  readonly onRegistered?: (place: string) => void
  /** Called with the place of each account that is no more. */
  readonly onDeactivated?: (place: string) => void
}

/**
 * The accounts of one ACME issuer, by storage key. A key is stored before the CA hears of it and the account's URL as soon
 * as it is known, so that a crash at any instant neither loses an account nor makes a second one.
 */
export class AcmeAccounts {
  readonly #options: AccountsOptions
  readonly #accounts = new Map<string, Promise<Account>>()

  constructor(options: AccountsOptions) {
    this.#options = options
  }

  /** The stored account, or a new one. Whoever asks meanwhile gets the same. Throws AcmeError or StorageError. */
  get(client: AcmeClient, place: string, signal: AbortSignal): Promise<Account> {
    return abortable(this.#accounts.get(place) ?? this.#keep(place, this.#open(client, place)), signal)
  }

  /** One that there is: none is made for that. Throws AcmeError `account-unknown`. */
  async existing(client: AcmeClient, place: string, signal: AbortSignal): Promise<Account> {
    const { storage } = this.#options
    if ((await storage.get(place)) !== undefined) return this.get(client, place, signal)
    const sentence = `There is no account at ${client.server} yet: it is made with the first order.`
    throw new AcmeError('account-unknown', sentence, { server: client.server, stored: storage.locate(place) })
  }

  /**
   * Registers the key of an account again that the CA no longer knows: a test CA that was restarted, a CA that began
   * anew. Throws AcmeError or StorageError.
   */
  async replace(client: AcmeClient, place: string, lost: Account, signal: AbortSignal): Promise<Account> {
    const current = this.#accounts.get(place)
    if (current === undefined || (await abortable(current, signal)) !== lost) return this.get(client, place, signal)
    const { log } = this.#options
    const message = `The CA at ${client.server} does not know the account ${lost.url} any more: its key is registered again.`
    log.warn('account-lost', message, { account: lost.url })
    return abortable(this.#keep(place, this.#register(client, place, lost.key)), signal)
  }

  /**
   * Gives the account a new key (RFC 8555 §7.3.5). Both are stored while the CA is told, so that whichever it knows after a
   * crash is there. Whoever asks for the account meanwhile waits, as the former key may be good no more. Throws AcmeError or
   * StorageError.
   */
  async rollOver(client: AcmeClient, place: string, signal: AbortSignal): Promise<Account> {
    const rolling = this.#changeKey(client, place, await this.existing(client, place, signal))
    // After a failure both keys stay stored: whoever asks next finds out which one the CA knows.
    return abortable(this.#keep(place, rolling), signal)
  }

  /** Ends the account at the CA for good, and moves what is stored of it out of the way. Throws AcmeError or StorageError. */
  async deactivate(client: AcmeClient, place: string, signal: AbortSignal): Promise<string> {
    const account = await this.existing(client, place, signal)
    await deactivateAccount(client, account, signal)
    this.#accounts.delete(place)
    const { storage, log, onDeactivated } = this.#options
    onDeactivated?.(place)
    const aside = await storage.setAside(place)
    const message = `The account ${account.url} is deactivated, and nothing brings it back. What was stored of it is ${aside} now.`
    log.warn('account-deactivated', message, { account: account.url, movedTo: aside })
    return account.url
  }

  #keep(place: string, opening: Promise<Account>): Promise<Account> {
    this.#accounts.set(place, opening)
    opening.catch(() => this.#accounts.get(place) === opening && this.#accounts.delete(place))
    return opening
  }

  async #open(client: AcmeClient, place: string): Promise<Account> {
    const stored = await this.#read(client, place)
    if (stored === undefined) return this.#create(client, place)
    const { key, url, contact } = stored.nextKey === undefined ? stored : await this.#settle(client, place, stored)
    if (url !== undefined) return this.#withContact(client, place, { key, url }, contact)
    // A crash came between. Credentials for an external account may be good for one use, so look first.
    const found = await findAccount(client, key, FOR_ALL)
    if (found === undefined) return this.#register(client, place, key)
    await this.#write(client, place, { key, url: found.url })
    return this.#withContact(client, place, found, undefined)
  }

  async #changeKey(client: AcmeClient, place: string, { key, url }: Account): Promise<Account> {
    const { log, generateKey, keyKind, registration } = this.#options
    const nextKey = await accountKey((await generateKey(keyKind)).privateKey)
    const { contact } = registration
    await this.#write(client, place, { key, nextKey, url, contact })
    const changed = await changeAccountKey(client, { key, url }, nextKey, FOR_ALL)
    await this.#write(client, place, { ...changed, contact })
    log.info('account-key-changed', `The account ${url} has a new key, of kind ${keyKind}.`, { account: url })
    return changed
  }

  /** A change of the key was cut short: the account's key is the one that the CA knows. */
  async #settle(client: AcmeClient, place: string, stored: StoredAccount): Promise<StoredAccount> {
    const { nextKey, ...before } = stored
    const found = await findAccount(client, nextKey!, FOR_ALL)
    const settled = found === undefined ? before : { ...before, key: nextKey!, url: found.url }
    await this.#write(client, place, settled)
    return settled
  }

  /** Tells the CA of a contact that is not the one it knows. An account is as good as before where it will not hear of it. */
  async #withContact(client: AcmeClient, place: string, account: Account, known: string | undefined): Promise<Account> {
    const { log, registration } = this.#options
    const { contact } = registration
    if (contact === known) return account
    try {
      await updateContact(client, account, contact, FOR_ALL)
    } catch (error) {
      if (!(error instanceof AcmeError)) throw error
      log.warn('account-contact-not-changed', error.message, { account: account.url, ...error.facts })
      return account
    }
    await this.#write(client, place, { ...account, contact })
    const message = `Told ${client.server} that the contact of ${account.url} is ${contact ?? 'nobody'} now.`
    log.info('account-contact-changed', message, { account: account.url })
    return account
  }

  async #create(client: AcmeClient, place: string): Promise<Account> {
    const { privateKey } = await this.#options.generateKey(this.#options.keyKind)
    const key = await accountKey(privateKey)
    await this.#write(client, place, { key })
    return this.#register(client, place, key)
  }

  async #register(client: AcmeClient, place: string, key: AccountKey): Promise<Account> {
    const { log, storage, registration } = this.#options
    const account = await newAccount(client, key, registration, FOR_ALL)
    this.#options.onRegistered?.(place)
    await this.#write(client, place, { ...account, contact: registration.contact })
    const facts = { account: account.url, stored: storage.locate(place) }
    log.info('account-registered', `Registered the account ${account.url} at ${client.server}.`, facts)
    return account
  }

  #write(client: AcmeClient, place: string, account: Omit<StoredAccount, 'directory'>): Promise<void> {
    return this.#options.storage.put(place, formatAccount({ ...account, directory: client.directory.url }))
  }

  /** What is stored, if it is whole and of this directory. What is not is set aside and reported. */
  async #read(client: AcmeClient, place: string): Promise<StoredAccount | undefined> {
    const { storage, log } = this.#options
    const value = await storage.get(place)
    if (value === undefined) return undefined
    const stored = await parseAccount(value)
    const location = storage.locate(place)
    if (stored === undefined) {
      const aside = await storage.setAside(place)
      const message = `The ACME account in ${location} is damaged: it was moved to ${aside}, and a new account is made.`
      log.error('account-damaged', message, { path: location, movedTo: aside })
      return undefined
    }
    if (stored.directory === client.directory.url) return stored
    const aside = await storage.setAside(place)
    const message = `The ACME account in ${location} is of another CA, ${stored.directory}: it was moved to ${aside}.`
    log.warn('account-of-other-directory', message, { path: location, movedTo: aside, directory: stored.directory })
    return undefined
  }
}

/**
 * An account that is stored for this directory; without URL if the CA has given none yet. Changes nothing. Throws
 * StorageError.
 */
export async function readAccount(
  storage: StorageReader,
  place: string,
  directory: string,
): Promise<{ readonly url: string | undefined; readonly publicKey: KeyObject } | undefined> {
  const value = await storage.get(place)
  const stored = value && (await parseAccount(value))
  if (stored?.directory !== directory) return undefined
  return { url: stored.url, publicKey: createPublicKey(stored.key.privateKey) }
}
