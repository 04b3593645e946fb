import { isDeepStrictEqual } from 'node:util'
import type { ConfigChanges, ToOrder } from '../admin/config-reply.ts'
import type { CertificateReport } from '../certificates/report.ts'
import type { Config, Site } from '../config/config.ts'
import type { ListenAddress } from '../config/listen-address.ts'
import { formatListenAddress } from './edge-config.ts'

/** @param toOrder certificates that nobody orders yet, and that are ordered because of it. */
export function changesBetween(former: Config, next: Config, toOrder: readonly ToOrder[]): ConfigChanges {
  return {
    sites: siteChanges(former.sites, next.sites),
    listeners: {
      opened: missingFrom(addressesOf(former), addressesOf(next)),
      closed: missingFrom(addressesOf(next), addressesOf(former)),
    },
    certificates: { toOrder },
    settings: settingChanges(former, next),
  }
}

export function isNothing({ sites, listeners, certificates, settings }: ConfigChanges): boolean {
  const lists = [sites.added, sites.removed, sites.changed, listeners.opened, listeners.closed, settings]
  return [...lists, certificates.toOrder].every(({ length }) => length === 0)
}

/** Of those that would be ordered now under the next config, those that would not be under the former. */
export function newOrders(
  former: readonly CertificateReport[],
  next: readonly CertificateReport[],
  now: number,
): ToOrder[] {
  const known = new Set(former.filter((report) => isOrdered(report, now)).map(({ id }) => id))
  return next
    .filter((report) => isOrdered(report, now) && !known.has(report.id))
    .map(({ id, names, keyKind, issuers }) => ({ id, names, keyKind, issuers }))
}

function isOrdered({ step, orderedSince }: CertificateReport, now: number): boolean {
  return orderedSince !== undefined || ((step.type === 'issue' || step.type === 'renew') && step.at <= now)
}

function siteChanges(former: readonly Site[], next: readonly Site[]): ConfigChanges['sites'] {
  const [before, after] = [former, next].map((sites) => new Map(sites.map((site) => [site.name, site])))
  const names = [...after!.keys()]
  return {
    added: names.filter((name) => !before!.has(name)),
    removed: [...before!.keys()].filter((name) => !after!.has(name)),
    changed: names.filter((name) => before!.has(name) && !isDeepStrictEqual(before!.get(name), after!.get(name))),
  }
}

function addressesOf({ listen }: Config): string[] {
  const format = (scheme: string) => (address: ListenAddress) => `${scheme} ${formatListenAddress(address)}`
  return [...listen.https.map(format('https')), ...listen.http.map(format('http'))]
}

function missingFrom(some: readonly string[], all: readonly string[]): string[] {
  return all.filter((each) => !some.includes(each))
}

/** What is told of in another way, and what follows from where the config is. */
const NOT_SETTINGS: ReadonlySet<string> = new Set(['sites', 'listen', 'file', 'folder'])
const NOT_LISTEN_SETTINGS: ReadonlySet<string> = new Set(['https', 'http'])
/** Where the config calls it something else. */
const NAMES: Readonly<Record<string, string>> = { proxyProtocolFrom: 'proxyProtocol' }

function settingChanges(former: Config, next: Config): string[] {
  const listen = changedKeys(former.listen, next.listen, NOT_LISTEN_SETTINGS).map(
    (key) => `listen.${NAMES[key] ?? key}`,
  )
  return [...listen, ...changedKeys(former, next, NOT_SETTINGS)]
}

function changedKeys<T extends object>(former: T, next: T, but: ReadonlySet<string>): string[] {
  return Object.keys(next).filter(
    (key) => !but.has(key) && !isDeepStrictEqual(former[key as keyof T], next[key as keyof T]),
  )
}
