import { JsonObject } from './json-object.ts'
import { requireUrl } from './server-url.ts'

/** Let's Encrypt has five; a bound for the hostile. */
const MAX_PROFILES = 100

/** Where an ACME server takes which request, and what it says of itself (RFC 8555 §7.1.1). */
export type Directory = {
  readonly url: string
  readonly newNonce: string
  readonly newAccount: string
  readonly newOrder: string
  /** As the server wrote it: for people, not to be fetched. */
  readonly termsOfService: string | undefined
  /** newAccount needs credentials that the CA gives out beforehand (§7.3.4). */
  readonly externalAccountRequired: boolean
  /** Names of certificate profiles (draft-ietf-acme-profiles); empty where the server has none. */
  readonly profiles: readonly string[]
}

/** Reads the directory found at `url`. Throws AcmeError `acme-response-invalid`. */
export function parseDirectory(document: unknown, url: string): Directory {
  const directory = new JsonObject(document, 'the directory')
  const meta = directory.optionalObject('meta')
  return {
    url,
    newNonce: requireUrl(directory.string('newNonce'), url),
    newAccount: requireUrl(directory.string('newAccount'), url),
    newOrder: requireUrl(directory.string('newOrder'), url),
    termsOfService: meta?.optionalString('termsOfService'),
    externalAccountRequired: meta?.optionalBoolean('externalAccountRequired') ?? false,
    profiles: Object.keys(meta?.optionalObject('profiles')?.fields ?? {}).slice(0, MAX_PROFILES),
  }
}
