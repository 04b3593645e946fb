import { AcmeError } from './acme-error.ts'
import type { AcmeClient, Signer } from './client.ts'
import { JsonObject } from './json-object.ts'
import { type AccountKey, bindExternalAccount, type ExternalAccount } from './jws.ts'
import { isProblem } from './problem.ts'
import { quote } from './quote.ts'
import type { AcmeResponse } from './response.ts'

/** An account at an ACME server: whoever has its key (RFC 8555 §7.1.2). The URL is the `kid` of its requests. */
export type Account = Signer & { readonly url: string }

export type Registration = {
  /** Whether the operator has accepted the terms of service; nobody else can. */
  readonly acceptTerms: boolean
  /** An e-mail address, without `mailto:`. */
  readonly contact?: string | undefined
  readonly externalAccount?: ExternalAccount | undefined
}

/**
 * Registers the key, or finds the account that it already has (RFC 8555 §7.3). Throws AcmeError `terms-not-accepted`,
 * `external-account-required`, `account-unusable` or whatever the server says.
 */
export async function newAccount(
  client: AcmeClient,
  key: AccountKey,
  { acceptTerms, contact, externalAccount }: Registration,
  signal: AbortSignal,
): Promise<Account> {
  const { directory, server } = client
  const { termsOfService, externalAccountRequired } = directory
  if (termsOfService !== undefined && !acceptTerms) throw termsNotAccepted(server, termsOfService)
  if (externalAccountRequired && externalAccount === undefined) throw externalAccountMissing(server)
  const payload = {
    ...(acceptTerms && { termsOfServiceAgreed: true }),
    ...(contact !== undefined && { contact: contactList(contact) }),
    ...(externalAccount !== undefined && {
      externalAccountBinding: await bindExternalAccount(externalAccount, key, directory.newAccount),
    }),
  }
  const response = await client.post(
    directory.newAccount,
    payload,
    { key },
    { what: 'newAccount', isGeneral: true, signal },
  )
  return parseAccount(client, key, response)
}

/** The account that this key has at the server (RFC 8555 §7.3.1), or undefined. Throws AcmeError. */
export async function findAccount(
  client: AcmeClient,
  key: AccountKey,
  signal: AbortSignal,
): Promise<Account | undefined> {
  const { newAccount: url } = client.directory
  try {
    const payload = { onlyReturnExisting: true }
    const options = { what: 'the account of a key', isGeneral: true, signal }
    return parseAccount(client, key, await client.post(url, payload, { key }, options))
  } catch (error) {
    if (isProblem(error, 'accountDoesNotExist')) return undefined
    throw error
  }
}

/** Tells the CA whom to write to from now on; nobody if there is no contact (RFC 8555 §7.3.2). Throws AcmeError. */
export async function updateContact(
  client: AcmeClient,
  account: Account,
  contact: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  const what = 'a change of the account’s contact'
  await client.post(account.url, { contact: contactList(contact) }, account, { what, signal })
}

function contactList(contact: string | undefined): string[] {
  return contact === undefined ? [] : [`mailto:${contact}`]
}

function parseAccount(client: AcmeClient, key: AccountKey, response: AcmeResponse): Account {
  const status = new JsonObject(response.json(), 'the account').string('status')
  if (status !== 'valid') throw accountUnusable(client.server, status)
  return { key, url: client.url(response.location ?? '') }
}

function termsNotAccepted(server: string, terms: string): AcmeError {
  const url = quote(terms)
  return new AcmeError(
    'terms-not-accepted',
    `The CA at ${server} asks you to accept its terms of service: ${url} – read them, then set “acceptTerms: true”.`,
    { server, terms: url },
  )
}

function externalAccountMissing(server: string): AcmeError {
  return new AcmeError(
    'external-account-required',
    `The CA at ${server} only takes accounts that are bound to one you have there: get a key ID and an HMAC key from ` +
      'it and set “externalAccount: { kid, hmacKey }” for this issuer.',
    { server },
  )
}

function accountUnusable(server: string, status: string): AcmeError {
  return new AcmeError(
    'account-unusable',
    `The account at ${server} is “${quote(status, 40)}”, so nothing can be ordered with it. Ask the CA, or remove the ` +
      'stored account so that a new one is registered.',
    { server, status: quote(status, 40) },
  )
}
