import { resolve } from 'node:path'
import type { Policy } from '../policy.ts'
import { warnOfAddresses } from './address-profile.ts'
import type { Config, Site } from './config.ts'
import { ENVIRONMENT } from './config-source.ts'
import type { Document, DocumentNames, Spot } from './document.ts'
import type { Findings } from './findings.ts'
import { builtInDirectories, externalAccountIssuers, INTERNAL_ISSUER, issuersFor } from './issuers.ts'
import type { ListenAddress } from './listen-address.ts'
import { warnOfMustStaple } from './must-staple.ts'
import { Refusal } from './problem.ts'
import { pageTexts, withReadPages } from './resolve-errors.ts'
import { checkIssuerNames, resolveIssuers } from './resolve-issuers.ts'
import { resolveNotify } from './resolve-notify.ts'
import { resolveSites, warnOfHsts } from './resolve-sites.ts'
import { type ConfigSettings, plainIssuer, type SiteSettings } from './schema.ts'
import { SiteClaims, type SiteEntry } from './site-claims.ts'
import { absoluteSocket } from './socket-path.ts'
import { didYouMean } from './suggestion.ts'

type SitesByKey = Readonly<Record<string, SiteSettings>>

/** An included file; `sites` lacks those whose form is wrong. */
export type Included = { readonly document: Document; readonly sites: SitesByKey | undefined }

export type ConfigParts = {
  readonly names: DocumentNames
  readonly document: Document
  /** Without the parts whose form is wrong. */
  readonly settings: ConfigSettings
  readonly included: readonly Included[]
  /** False if an included file could not be read: nobody knows then which sites it has. */
  readonly complete: boolean
}

/** Makes the config ready to use, and checks what its parts say of each other. Worth nothing if there are problems. */
export async function resolveConfig(parts: ConfigParts, findings: Findings): Promise<Config> {
  const { document, settings, names } = parts
  const issuersSpot = document.spot('issuers')
  const knownIssuers = new Set([...builtInDirectories.keys(), INTERNAL_ISSUER, ...keysAt(issuersSpot)])
  const claims = new SiteClaims(findings)
  const defaults = await withReadPages(settings.defaults, document.spot('defaults'), findings)

  if (defaults.issuer !== undefined)
    checkIssuerNames(defaults.issuer, knownIssuers, document.spot('defaults', 'issuer'), findings)
  if (defaults.hsts) warnOfHsts(defaults.hsts, document.spot('defaults', 'hsts'), findings)
  const entries = siteEntries(parts)
  const noneNamed = document.spot('sites').value === undefined || settings.sites !== undefined
  if (entries.length === 0 && noneNamed && parts.complete) findings.refuse(document.spot('sites'), noSites)
  const sites = await resolveSites(entries, claims, {
    defaults,
    defaultsSpot: document.spot('defaults'),
    listen: settings.listen,
    knownIssuers,
    findings,
  })
  checkAccounts(sites, settings, document, findings)
  warnOfAddresses(sites, settings.issuers, document, findings)
  checkRedirected(sites, settings, document, findings)
  if (defaults.certificate.mustStaple) checkMustStaple(entries, sites, document, findings)
  if (parts.complete) checkFallback(settings.fallback, claims, document.spot('fallback'), findings)

  return {
    file: names.file === ENVIRONMENT ? ENVIRONMENT : names.path,
    folder: document.folder,
    contact: settings.contact,
    acceptTerms: settings.acceptTerms,
    storage: { folder: resolve(document.folder, settings.storage) },
    workers: settings.workers,
    listen: resolveListen(settings.listen, document.spot('listen'), findings),
    fallback: settings.fallback,
    metrics: settings.metrics,
    watch: settings.watch,
    limits: settings.limits,
    timeouts: resolveTimeouts(settings.timeouts),
    issuers: await resolveIssuers(settings.issuers, plainIssuer, issuersSpot, findings),
    notify: await resolveNotify(settings.notify, document.spot('notify'), findings),
    sites,
    pages: await pageTexts(sites.flatMap(policiesOf), findings),
    log: { ...settings.log, access: resolveAccessLog(settings.log.access, document.folder) },
  }
}

function policiesOf({ policy, routes }: Site): Policy[] {
  return [policy, ...routes.map((route) => route.policy)]
}

const noSites = new Refusal('allowed: at least "sites:" with a name and the URL of its app', {
  found: 'found nothing to serve',
})

function siteEntries({ document, settings, included }: ConfigParts): SiteEntry[] {
  return [{ document, sites: settings.sites }, ...included].flatMap((file) => {
    const spot = file.document.spot('sites')
    const sites = new Map(Object.entries(file.sites ?? {}))
    return keysAt(spot).map((key) => ({ key, spot: spot.at(key), settings: sites.get(key) }))
  })
}

/** What a public CA asks of its customers before it gives anything, so that it is said here and not by the CA. */
function checkAccounts(
  sites: readonly Site[],
  { acceptTerms, issuers }: ConfigSettings,
  document: Document,
  findings: Findings,
): void {
  const asked = new Set(
    sites
      .filter(({ files }) => files.length === 0)
      .flatMap((site) => site.names.flatMap((name) => issuersFor(name, site.issuers))),
  )
  const publicOnes = [...builtInDirectories.keys()].filter((name) => asked.has(name))
  if (publicOnes.length > 0 && !acceptTerms)
    findings.warn(
      document.spot('acceptTerms'),
      new Refusal('read its terms of service, then set acceptTerms: true', {
        found: `${publicOnes.join(' and ')} will issue nothing`,
      }),
    )
  for (const name of publicOnes) {
    if (!externalAccountIssuers.has(name) || issuers[name]?.externalAccount !== undefined) continue
    const found = `${name} will issue nothing: it wants an account that you have there already`
    findings.warn(document.spot('issuers', name), new Refusal('give externalAccount with kid and hmacKey', { found }))
  }
}

/** Unless a proxy in front may say that HTTPS ended there, a redirect leads to where nobody listens. */
function checkRedirected(
  sites: readonly Site[],
  { listen: { https, trustedProxies } }: ConfigSettings,
  document: Document,
  findings: Findings,
): void {
  const redirected = sites.filter(({ action, redirectToHttps }) => redirectToHttps && action.type === 'proxy')
  if (https.length > 0 || trustedProxies.length > 0 || redirected.length === 0) return
  const found = `${redirected[0]!.name}${redirected.length > 1 ? ' and others' : ''} will redirect to HTTPS, where nothing listens`
  const allowed =
    'set defaults.redirect to false, or, behind a proxy that ends HTTPS, listen.trustedProxies to its address'
  findings.warn(document.spot('listen', 'https'), new Refusal(allowed, { found }))
}

/** Of the defaults, once: sites that ask for it themselves are told so where they do. */
function checkMustStaple(
  entries: readonly SiteEntry[],
  sites: readonly Site[],
  document: Document,
  findings: Findings,
): void {
  const own = new Set(entries.filter(({ settings }) => settings?.certificate?.mustStaple).map(({ key }) => key))
  const asked = sites
    .filter(({ name, files, mustStaple }) => mustStaple && files.length === 0 && !own.has(name))
    .flatMap(({ names, issuers }) => names.flatMap((name) => issuersFor(name, issuers)))
  warnOfMustStaple(asked, document.spot('defaults', 'certificate', 'mustStaple'), findings)
}

/** The keys that a mapping has in the file, whether or not its values were accepted. */
function keysAt({ value }: Spot): string[] {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.keys(value) : []
}

function checkFallback(name: string | undefined, claims: SiteClaims, spot: Spot, findings: Findings): void {
  if (name === undefined || claims.has(name)) return
  const reason = { fault: 'which is the name of no site', hint: didYouMean(name, claims.names()) }
  findings.refuse(spot, new Refusal('allowed: one of the names of the sites', reason))
}

function resolveListen(listen: ConfigSettings['listen'], spot: Spot, findings: Findings): Config['listen'] {
  const settled: { readonly address: ListenAddress; readonly place: Spot }[] = []
  const settle = (written: ListenAddress, place: Spot): ListenAddress => {
    const address =
      written.type === 'unix' ? { ...written, path: absoluteSocket(written.path, place, findings) } : written
    const first = settled.find((other) => collide(other.address, address))
    if (first !== undefined) findings.refuse(place, addressTaken(first.place))
    settled.push({ address, place })
    return address
  }
  const [https, http] = [spot.at('https'), spot.at('http')]
  if (listen.https.length === 0 && listen.http.length === 0) findings.refuse(spot, nowhere)
  return {
    https: listen.https.map((address, index) => settle(address, https.item(index))),
    http: listen.http.map((address, index) => settle(address, http.item(index))),
    socketMode: listen.socketMode,
    proxyProtocolFrom: listen.proxyProtocol?.from ?? [],
    trustedProxies: listen.trustedProxies,
  }
}

function resolveAccessLog(access: ConfigSettings['log']['access'], folder: string): Config['log']['access'] {
  if (access === false) return undefined
  if (access === true) return { file: undefined, format: undefined }
  const file = access.file === undefined ? undefined : resolve(folder, access.file)
  return { file, format: access.format ?? (file === undefined ? undefined : 'json') }
}

function resolveTimeouts(timeouts: ConfigSettings['timeouts']): Config['timeouts'] {
  const { drain, reloadDrain, hello, handshake, header, body, idle, write } = timeouts
  return {
    drainMs: drain,
    reloadDrainMs: reloadDrain,
    helloMs: hello,
    handshakeMs: handshake,
    headerMs: header,
    bodyMs: body,
    idleMs: idle,
    writeMs: write,
  }
}

/** The same address, or the same port of one address and of every address. */
function collide(a: ListenAddress, b: ListenAddress): boolean {
  if (a.type === 'tcp' && b.type === 'tcp')
    return a.port === b.port && (a.host === b.host || a.host === undefined || b.host === undefined)
  return JSON.stringify(a) === JSON.stringify(b)
}

const nowhere = new Refusal('give https or http an address, such as ":443"', { found: 'found no address to listen on' })

function addressTaken(first: Spot): Refusal {
  const fault = `but that address is taken already at ${first.location}`
  return new Refusal('listen on each address once', { fault })
}
