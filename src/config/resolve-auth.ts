import type { Auth, BasicAuth, ForwardAuth } from '../guards.ts'
import { readPasswordHash } from '../password/password-hash.ts'
import type { AuthSettings, ForwardSettings } from './auth-schema.ts'
import type { Spot } from './document.ts'
import type { Findings } from './findings.ts'
import { Refusal } from './problem.ts'
import { resolveTls } from './resolve-upstream.ts'
import { readSecret } from './secret.ts'

const REALM = 'restricted'

/** To establish a connection, TLS included: a service that lets people in is near. */
const CONNECT_MS = 5_000

const HASH_ALLOWED = 'allowed: what castellan hash-password prints, or a bcrypt hash; also as env:NAME or file:PATH'

/** Makes ready who is let in; undefined where something is wrong with it. */
export async function resolveAuth(settings: AuthSettings, spot: Spot, findings: Findings): Promise<Auth | undefined> {
  const { basic, forward, realm, passAuthorization } = settings
  if ((basic === undefined) === (forward === undefined)) {
    const found = basic === undefined ? 'found neither basic nor forward' : 'found basic and forward together'
    findings.refuse(spot, new Refusal('allowed: exactly one of basic and forward', { found }))
    return undefined
  }
  if (forward !== undefined) {
    for (const key of ['realm', 'passAuthorization'] as const)
      if (settings[key] !== undefined)
        findings.refuseKey(spot.at(key), new Refusal('remove it', { found: 'it is of use with basic alone' }))
    return resolveForward(forward, spot.at('forward'), findings)
  }
  const users = await resolveUsers(basic!, spot.at('basic'), findings)
  return {
    type: 'basic',
    users,
    realm: realm ?? REALM,
    passAuthorization: passAuthorization ?? false,
  }
}

async function resolveForward(
  { to, copy, timeout, tls }: ForwardSettings,
  spot: Spot,
  findings: Findings,
): Promise<ForwardAuth | undefined> {
  const { address, target } = to
  if (address.scheme === 'unix') return undefined
  return {
    type: 'forward',
    service: {
      address,
      timeouts: { connectMs: Math.min(CONNECT_MS, timeout), firstByteMs: timeout, idleMs: timeout },
      tls: await resolveTls({ to: [{ url: address, weight: 1 }], tls }, spot.at('tls'), findings),
      proxyProtocol: undefined,
    },
    target,
    copy,
  }
}

type Users = BasicAuth['users']

async function resolveUsers(
  written: NonNullable<AuthSettings['basic']>,
  spot: Spot,
  findings: Findings,
): Promise<Users> {
  const users: [string, string][] = []
  if (typeof written === 'string') {
    const lines = await secretAt(written, spot, findings)
    if (lines !== undefined) users.push(...usersIn(lines, spot, findings))
  } else
    for (const [name, secret] of Object.entries(written)) {
      const place = spot.at(name)
      const fault = nameFault(name)
      if (fault !== undefined) findings.refuseKey(place, new Refusal('give another name', { found: fault }))
      const hash = await secretAt(secret, place, findings)
      const hashFault = hash === undefined ? undefined : faultOf(hash)
      if (hashFault !== undefined) findings.refuse(place, new Refusal(HASH_ALLOWED, { fault: hashFault }))
      if (hash !== undefined) users.push([name, hash])
    }
  if (typeof written !== 'string' && Object.keys(written).length === 0)
    findings.refuse(
      spot,
      new Refusal('allowed: at least one name and the hash of its password', { found: 'found nobody' }),
    )
  return users
}

/** The lines of a .htpasswd file: `name:hash`; empty ones and those that begin with # say nothing. */
function usersIn(text: string, spot: Spot, findings: Findings): [string, string][] {
  const users: [string, string][] = []
  const refuse = (fault: string): void => findings.refuse(spot, new Refusal('allowed: lines NAME:HASH', { fault }))
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue
    const colon = line.indexOf(':')
    const [name, hash] = [line.slice(0, colon), line.slice(colon + 1).trim()]
    const fault = colon < 0 ? 'which is not NAME:HASH' : (nameFault(name) ?? faultOf(hash))
    if (fault !== undefined) refuse(`in whose line ${index + 1} is a hash ${fault}`)
    else if (users.some(([other]) => other === name)) refuse(`in whose line ${index + 1} is a name for the second time`)
    else users.push([name, hash])
  }
  if (users.length === 0) refuse('which has no user')
  return users
}

/** RFC 7617 §2: no colon, nor control characters. */
function nameFault(name: string): string | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for.
  return name === '' || /[:\x00-\x1f\x7f]/.test(name)
    ? 'a name of a user has no colon and no control characters'
    : undefined
}

function faultOf(hash: string): string | undefined {
  const read = readPasswordHash(hash)
  return typeof read === 'string' ? read : undefined
}

async function secretAt(written: string, spot: Spot, findings: Findings): Promise<string | undefined> {
  const { env, files } = findings
  const secret = await readSecret(written, { env, files, folder: spot.document.folder })
  if (!(secret instanceof Refusal)) return secret
  findings.refuse(spot, secret)
  return undefined
}
