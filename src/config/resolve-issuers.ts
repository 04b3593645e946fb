import { resolve } from 'node:path'
import type { AcmeIssuerConfig } from './config.ts'
import type { Spot } from './document.ts'
import type { Findings } from './findings.ts'
import { builtInDirectories, INTERNAL_ISSUER } from './issuers.ts'
import { readPem } from './pem-file.ts'
import { Refusal } from './problem.ts'
import type { IssuerSettings } from './schema.ts'
import { readSecret } from './secret.ts'
import { didYouMean } from './suggestion.ts'

/** Names of issuers end up in paths and in logs. */
const ISSUER_NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/

/**
 * Every ACME issuer by name: the built-in ones, refined by what `issuers` says, and the custom ones. `spot` is the key
 * `issuers`; `plain` are the settings of an issuer of which nothing is said.
 */
export async function resolveIssuers(
  settings: Readonly<Record<string, IssuerSettings>>,
  plain: IssuerSettings,
  spot: Spot,
  findings: Findings,
): Promise<Map<string, AcmeIssuerConfig>> {
  const issuers = new Map<string, AcmeIssuerConfig>()
  for (const name of [...builtInDirectories.keys(), ...Object.keys(settings)]) {
    if (issuers.has(name)) continue
    const issuer = await resolveIssuer(name, settings[name] ?? plain, spot.at(name), findings)
    if (issuer !== undefined) issuers.set(name, issuer)
  }
  return issuers
}

async function resolveIssuer(
  name: string,
  settings: IssuerSettings,
  spot: Spot,
  findings: Findings,
): Promise<AcmeIssuerConfig | undefined> {
  const refusal = nameRefusal(name)
  if (refusal !== undefined) {
    findings.refuseKey(spot, refusal)
    return undefined
  }
  const directory = settings.directory ?? builtInDirectories.get(name)
  if (directory === undefined) findings.refuse(spot.at('directory'), directoryMissing(name))
  const trust =
    settings.trust === undefined ? undefined : await resolveTrust(settings.trust, spot.at('trust'), findings)
  const externalAccount = await resolveExternalAccount(settings, spot.at('externalAccount', 'hmacKey'), findings)
  if (directory === undefined) return undefined
  const { profile, preferredChain, challenges, accountKey, account, maxNames, rateLimits } = settings
  const terms = {
    profile,
    preferredChain,
    challenges,
    accountKey,
    account,
    maxNames,
    ...(rateLimits && { rateLimits }),
  }
  return { name, directory, trust, externalAccount, ...terms }
}

function nameRefusal(name: string): Refusal | undefined {
  if (name === INTERNAL_ISSUER)
    return new Refusal('choose another name', { fault: 'which is the CA in the data folder and has nothing to set' })
  return ISSUER_NAME.test(name) ? undefined : new Refusal('allowed: lower-case letters, digits and hyphens, up to 63')
}

function directoryMissing(name: string): Refusal {
  const hint = didYouMean(name, builtInDirectories.keys())
  const allowed = `${hint === undefined ? '' : `${hint} `}an issuer of your own needs the URL of its ACME directory`
  return new Refusal(allowed, { found: 'found nothing' })
}

/** The PEM in a file of certificates; undefined if there is none, which is then a finding. */
export async function resolveTrust(path: string, spot: Spot, findings: Findings): Promise<string | undefined> {
  const pem = await readPem(resolve(spot.document.folder, path), 'certificate', findings.files)
  if (!(pem instanceof Refusal)) return pem
  findings.refuse(spot, pem)
  return undefined
}

async function resolveExternalAccount(
  { externalAccount }: IssuerSettings,
  spot: Spot,
  findings: Findings,
): Promise<AcmeIssuerConfig['externalAccount']> {
  if (externalAccount === undefined) return undefined
  const { env, files } = findings
  const hmacKey = await readSecret(externalAccount.hmacKey, { env, files, folder: spot.document.folder })
  const refusal = hmacKey instanceof Refusal ? hmacKey : macKeyRefusal(hmacKey)
  if (refusal !== undefined) findings.refuse(spot, refusal)
  return hmacKey instanceof Refusal ? undefined : { kid: externalAccount.kid, hmacKey }
}

/** RFC 8555 §7.3.4: CAs hand the key out in base64url; some pad it, or use plain base64. */
function macKeyRefusal(key: string): Refusal | undefined {
  // One character is six bits: base64url of nothing.
  if (/^[\w+/-]{2,}={0,2}$/.test(key)) return undefined
  return new Refusal('allowed: base64url, as the CA gave it', { fault: 'which is not base64url text' })
}

/** Refuses names in a site's or the defaults' `issuer` that no issuer has. `spot` is that key. */
export function checkIssuerNames(
  names: readonly string[],
  known: ReadonlySet<string>,
  spot: Spot,
  findings: Findings,
): void {
  for (const [index, name] of names.entries()) {
    if (known.has(name)) continue
    const allowed = `allowed: ${[...known].join(', ')}; or add it to issuers`
    findings.refuse(
      spot.item(index),
      new Refusal(allowed, { fault: 'which is no issuer', hint: didYouMean(name, known) }),
    )
  }
}
