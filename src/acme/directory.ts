import { JsonObject } from './json-object.ts'
import { quote } from './quote.ts'
import { requireUrl } from './server-url.ts'

/** Let's Encrypt has one. */
const MAX_CAA_IDENTITIES = 20

/** Let's Encrypt has five; a bound for the hostile. */
const MAX_PROFILES = 100

/** RFC 8555 and RFC 9773 have seven; a bound for the hostile. */
const MAX_RESOURCES = 50

/** Where an ACME server takes which request, and what it says of itself (RFC 8555 §7.1.1). */
export type Directory = {
  readonly url: string
  readonly newNonce: string
  readonly newAccount: string
  readonly newOrder: string
  /** Where an account gets another key (RFC 8555 §7.3.5), and where certificates are revoked (§7.6); some CAs lack them. */
  readonly keyChange: string | undefined
  readonly revokeCert: string | undefined
  /** Where to ask when a certificate should be renewed (RFC 9773 §4.1); undefined where the server does not say. */
  readonly renewalInfo: string | undefined
  /** As the server wrote it: for people, not to be fetched. */
  readonly termsOfService: string | undefined
  /** newAccount needs credentials that the CA gives out beforehand (§7.3.4). */
  readonly externalAccountRequired: boolean
  /** How CAA records call this CA; empty where it does not say. */
  readonly caaIdentities: readonly string[]
  /** Names of certificate profiles (draft-ietf-acme-profiles); empty where the server has none. */
  readonly profiles: readonly string[]
  /** The names of all its resources on its own host, known here or not. Boulder adds one elsewhere, of another name each time. */
  readonly resources: readonly string[]
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
    keyChange: usableUrl(directory.fields.keyChange, url),
    revokeCert: usableUrl(directory.fields.revokeCert, url),
    renewalInfo: optionalUrl(directory.optionalString('renewalInfo'), url),
    termsOfService: meta?.optionalString('termsOfService'),
    externalAccountRequired: meta?.optionalBoolean('externalAccountRequired') ?? false,
    caaIdentities: meta === undefined ? [] : optionalStrings(meta, 'caaIdentities'),
    profiles: Object.keys(meta?.optionalObject('profiles')?.fields ?? {}).slice(0, MAX_PROFILES),
    resources: resourcesOf(directory.fields, url),
  }
}

function resourcesOf(fields: Readonly<Record<string, unknown>>, url: string): string[] {
  const { host } = new URL(url)
  return Object.entries(fields)
    .filter(([, value]) => typeof value === 'string' && URL.parse(value)?.host === host)
    .map(([name]) => quote(name, 40))
    .slice(0, MAX_RESOURCES)
    .sort()
}

function optionalUrl(text: string | undefined, base: string): string | undefined {
  return text === undefined ? undefined : requireUrl(text, base)
}

/** Of what no certificate needs: a CA that gets it wrong is as one that has none. */
function usableUrl(text: unknown, base: string): string | undefined {
  try {
    return typeof text === 'string' ? requireUrl(text, base) : undefined
  } catch {
    return undefined
  }
}

function optionalStrings(meta: JsonObject, field: string): string[] {
  return meta.fields[field] == null ? [] : meta.strings(field, MAX_CAA_IDENTITIES).map((text) => text.toLowerCase())
}
