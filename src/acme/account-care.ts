import type { Account } from './account.ts'
import { AcmeError } from './acme-error.ts'
import type { AcmeClient } from './client.ts'
import { JsonObject } from './json-object.ts'
import { type AccountKey, signKeyChange } from './jws.ts'
import { quote } from './quote.ts'

/** What a CA says of an account (RFC 8555 §7.1.2). */
export type AccountStatus = 'valid' | 'deactivated' | 'revoked'

export type AccountFacts = {
  readonly status: AccountStatus
  /** Whom the CA writes to: URLs in its own words. Some CAs keep none, and say none. */
  readonly contact: readonly string[]
}

/** One, as a rule; a bound for the hostile. */
const MAX_CONTACTS = 20

/** Asks the CA what it knows of an account (RFC 8555 §7.3). Throws AcmeError. */
export async function readAccount(client: AcmeClient, account: Account, signal: AbortSignal): Promise<AccountFacts> {
  return parseFacts((await client.read(account.url, account, { what: 'the account', signal })).json())
}

/**
 * Gives the account another key: from then on the CA knows the former one no more (RFC 8555 §7.3.5). Throws AcmeError,
 * `acme-not-offered` where the CA has no such thing.
 */
export async function changeAccountKey(
  client: AcmeClient,
  account: Account,
  to: AccountKey,
  signal: AbortSignal,
): Promise<Account> {
  const { keyChange } = client.directory
  if (keyChange === undefined) throw notOffered(client.server, 'to change an account’s key')
  const payload = await signKeyChange({ account: account.url, from: account.key, to }, keyChange)
  await client.post(keyChange, payload, account, { what: 'another key for the account', signal })
  return { key: to, url: account.url }
}

/** Ends an account for good: nothing brings it back (RFC 8555 §7.3.6). Throws AcmeError. */
export async function deactivateAccount(client: AcmeClient, account: Account, signal: AbortSignal): Promise<void> {
  const what = 'to deactivate the account'
  const response = await client.post(account.url, { status: 'deactivated' }, account, { what, signal })
  const { status } = parseFacts(response.json())
  if (status === 'deactivated') return
  const sentence = `The CA at ${client.server} was asked to deactivate the account, and says that it is “${status}”.`
  throw new AcmeError('acme-response-invalid', sentence, { server: client.server, status })
}

function parseFacts(document: unknown): AccountFacts {
  const account = new JsonObject(document, 'the account')
  const status = account.oneOf('status', ['valid', 'deactivated', 'revoked'])
  const contact = account.fields.contact == null ? [] : account.strings('contact', MAX_CONTACTS)
  return { status, contact: contact.map((url) => quote(url, 200)) }
}

/** The CA's directory has no such resource. */
export function notOffered(server: string, what: string): AcmeError {
  return new AcmeError('acme-not-offered', `The CA at ${server} has no way ${what}.`, { server })
}
