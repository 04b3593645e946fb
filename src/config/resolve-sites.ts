import { resolve } from 'node:path'
import { isPublicName } from '../pki/public-name.ts'
import type { CertificateFile, HstsPolicy, Site, SiteAction } from './config.ts'
import type { Spot } from './document.ts'
import { formatDuration, SECOND_MS } from './duration.ts'
import type { Findings } from './findings.ts'
import { builtInDirectories, INTERNAL_ISSUER, issuersFor } from './issuers.ts'
import { warnOfMustStaple } from './must-staple.ts'
import { type PemKind, pairFault, readPem, uncoveredNames } from './pem-file.ts'
import { NOT_SUPPORTED_YET, Refusal } from './problem.ts'
import { resolveAction } from './resolve-action.ts'
import { resolveConcurrency } from './resolve-concurrency.ts'
import { withReadPages } from './resolve-errors.ts'
import { checkIssuerNames } from './resolve-issuers.ts'
import { resolveOnDemand } from './resolve-on-demand.ts'
import { type PolicyLayer, policyLayer, resolvePolicy } from './resolve-policy.ts'
import { resolveRoutes } from './resolve-routes.ts'
import { settleTls, type TlsLayer, tlsOf } from './resolve-tls.ts'
import type { ConfigSettings, SiteSettings } from './schema.ts'
import { SharedParts } from './shared-parts.ts'
import { type Claim, refuseClaim, type SiteClaims, type SiteEntry } from './site-claims.ts'
import { ANY_NAME } from './site-name.ts'

/** What sites start from and are checked against. */
export type SiteSurroundings = {
  readonly defaults: ConfigSettings['defaults']
  /** Where those stand. */
  readonly defaultsSpot: Spot
  readonly knownIssuers: ReadonlySet<string>
  readonly listen: ConfigSettings['listen']
  readonly findings: Findings
}

type Surroundings = SiteSurroundings & {
  readonly claims: SiteClaims
  readonly defaultLayer: PolicyLayer
  readonly defaultTls: TlsLayer
}

/** Makes sites ready, in their order. The claims get all of their names; sites with problems are left out. */
export async function resolveSites(
  entries: readonly SiteEntry[],
  claims: SiteClaims,
  surroundings: SiteSurroundings,
): Promise<Site[]> {
  const claimed = entries.map((entry) => ({ entry, own: claims.add(entry) }))
  const { defaults, defaultsSpot, findings } = surroundings
  const defaultLayer = await policyLayer(defaults, 'site', defaultsSpot, findings)
  const defaultTls = await settleTls(defaults.tls, defaultsSpot.at('tls'), findings)
  const around = { ...surroundings, claims, defaultLayer, defaultTls }
  const sites = await Promise.all(claimed.map(({ entry, own }) => resolveSite(entry, own, around)))
  const shared = new SharedParts()
  return sites.filter((site) => site !== undefined).map((site) => shared.site(site))
}

async function resolveSite(entry: SiteEntry, own: readonly Claim[], around: Surroundings): Promise<Site | undefined> {
  const { settings, spot } = entry
  if (settings === undefined) return undefined
  const { defaults, defaultLayer, defaultTls, findings } = around
  const action = await resolveSiteAction(settings, own, spot, around)
  const withPages = await withReadPages(settings, spot, findings)
  const layers = [await policyLayer(withPages, 'site', spot, findings), defaultLayer]
  const routes = await resolveRoutes(settings.routes ?? [], layers, own, spot.at('routes'), around)
  const tls = await settleTls(settings.tls, spot.at('tls'), findings)
  const issuers = settings.issuer ?? defaults.issuer
  const names = own.map((claim) => claim.name)
  const files = await resolveFiles(settings, names, spot, findings)
  checkIssuers(settings, own, spot, around)
  const onDemand = resolveOnDemand(entry, settings, findings)
  if (settings.hsts) warnOfHsts(settings.hsts, spot.at('hsts'), findings)
  const mustStaple = settings.certificate?.mustStaple
  if (mustStaple && files.length === 0) {
    const asked = names.flatMap((each) => issuersFor(each, issuers))
    warnOfMustStaple(asked, spot.at('certificate', 'mustStaple'), findings)
  }
  const name = own[0]?.name
  if (action === undefined || name === undefined) return undefined
  return {
    name,
    names,
    action,
    policy: resolvePolicy(...layers),
    routes,
    isCanonical: settings.canonical ?? defaults.canonical,
    redirectToHttps: settings.redirect ?? defaults.redirect,
    hsts: (settings.hsts ?? defaults.hsts) || undefined,
    concurrency: resolveConcurrency(settings.limits, defaults.limits, spot.at('limits'), findings),
    forwarded: settings.forwarded ?? defaults.forwarded,
    via: settings.via ?? defaults.via,
    tls: tlsOf(tls, defaultTls),
    keys: settings.certificate?.keys ?? defaults.certificate.keys,
    grouping: settings.certificate?.grouping ?? defaults.certificate.grouping,
    mustStaple: mustStaple ?? defaults.certificate.mustStaple,
    files,
    issuers,
    onDemand,
  }
}

/** A site of which routes are all has nothing for what none of them takes. */
async function resolveSiteAction(
  settings: SiteSettings,
  own: readonly Claim[],
  spot: Spot,
  around: Surroundings,
): Promise<SiteAction | undefined> {
  const { routes = [], upstream, redirectTo, respond } = settings
  const hasOwn = upstream !== undefined || redirectTo !== undefined || respond !== undefined
  return routes.length > 0 && !hasOwn ? { type: 'none' } : resolveAction(settings, own, spot, around)
}

async function resolveFiles(
  settings: SiteSettings,
  names: readonly string[],
  spot: Spot,
  findings: Findings,
): Promise<CertificateFile[]> {
  const filesSpot = spot.at('certificate', 'files')
  const pairs = await Promise.all(
    (settings.certificate?.files ?? []).map((pair, index) => resolvePair(pair, filesSpot.item(index), findings)),
  )
  const readable = pairs.flatMap(({ text }) => text ?? [])
  if (!findings.isThorough) return pairs.map(({ file }) => file)
  const missing = names.filter((name) => readable.every((text) => uncoveredNames(text, [name]).length > 0))
  if (readable.length > 0 && missing.length > 0)
    findings.warn(
      filesSpot,
      new Refusal('clients refuse it there', { found: `no certificate covers ${missing.join(', ')}` }),
    )
  return pairs.map(({ file }) => file)
}

/** The text is the certificate's, if that and its key can be used. */
async function resolvePair(
  { certificate, key }: CertificateFile,
  spot: Spot,
  findings: Findings,
): Promise<{ readonly file: CertificateFile; readonly text: string | undefined }> {
  const [certificateFile, keyFile] = [
    await resolvePem(certificate, 'certificate', spot.at('certificate'), findings),
    await resolvePem(key, 'private key', spot.at('key'), findings),
  ]
  const file = { certificate: certificateFile.path, key: keyFile.path }
  if (certificateFile.text === undefined || keyFile.text === undefined) return { file, text: undefined }
  const fault = findings.isThorough ? pairFault(certificateFile.text, keyFile.text) : undefined
  if (fault === undefined) return { file, text: certificateFile.text }
  findings.refuse(
    spot.at('key'),
    new Refusal(`allowed: the private key of ${certificate}`, { fault: `which ${fault}` }),
  )
  return { file, text: undefined }
}

async function resolvePem(
  path: string,
  kind: PemKind,
  spot: Spot,
  findings: Findings,
): Promise<{ readonly path: string; readonly text: string | undefined }> {
  const absolute = resolve(spot.document.folder, path)
  const pem = await readPem(absolute, kind, findings.files)
  if (!(pem instanceof Refusal)) return { path: absolute, text: pem }
  findings.refuse(spot, pem)
  return { path: absolute, text: undefined }
}

function checkIssuers(settings: SiteSettings, own: readonly Claim[], spot: Spot, around: Surroundings): void {
  const { defaults, knownIssuers, findings } = around
  const issuerSpot = spot.at('issuer')
  if (settings.issuer !== undefined) checkIssuerNames(settings.issuer, knownIssuers, issuerSpot, findings)
  if (settings.certificate?.files !== undefined) return
  for (const { name } of own) checkPublicIssuers(name, settings.issuer ?? [], issuerSpot, findings)
  for (const claim of own) checkWildcard(claim, settings.issuer ?? defaults.issuer, findings)
}

/** A site that asks a public CA for a name that none may certify would fail for ever. */
function checkPublicIssuers(name: string, issuers: readonly string[], spot: Spot, findings: Findings): void {
  if (name === ANY_NAME || isPublicName(name)) return
  for (const [index, issuer] of issuers.entries()) {
    if (!builtInDirectories.has(issuer)) continue
    const fault = `but no public CA may certify ${JSON.stringify(name)} (CA/Browser Forum Baseline Requirements §4.2.2)`
    findings.refuse(spot.item(index), new Refusal(`use issuer: ${INTERNAL_ISSUER}, or certificate.files`, { fault }))
  }
}

/** Every CA wants dns-01 for a wildcard: nothing else shows control of all names below (RFC 8555 §7.1.3, §10.5). */
function checkWildcard(claim: Claim, issuers: readonly string[] | undefined, findings: Findings): void {
  const { name } = claim
  if (!name.startsWith('*.')) return
  const acme = issuersFor(name, issuers).find((issuer) => issuer !== INTERNAL_ISSUER)
  if (acme === undefined) return
  const refusal = new Refusal(`use certificate.files or issuer: ${INTERNAL_ISSUER}`, {
    fault: `to be certified by ${acme}: wildcard certificates need dns-01, which is ${NOT_SUPPORTED_YET}`,
  })
  refuseClaim(claim, refusal, findings)
}

/** What the Integration Guide of Let's Encrypt asks to be said before HSTS is turned on. */
export function warnOfHsts({ mode, maxAgeSeconds }: HstsPolicy, spot: Spot, findings: Findings): void {
  if (mode === 'retire') {
    const consequence =
      'browsers that have seen it refuse the site without HTTPS until they come again or its max-age is over: leave ' +
      'HTTPS up until "castellan certs show" says that it is safe'
    findings.warn(spot, new Refusal(consequence, { found: 'HSTS is being retired' }))
    return
  }
  const period = formatDuration(maxAgeSeconds * SECOND_MS)
  const consequence =
    `for ${period} after each visit browsers will refuse the site if HTTPS ever goes away, ` +
    'and nobody can click past a certificate error; use it only if HTTPS is there to stay'
  findings.warn(
    spot,
    new Refusal(consequence, {
      found: `HSTS is ${mode === 'ramp' ? 'on a ramp to' : 'on, with'} a max-age of ${period} (${maxAgeSeconds} s)`,
    }),
  )
}
