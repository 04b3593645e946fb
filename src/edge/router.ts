import type { SiteSnapshot } from './snapshot.ts'

/** Finds the site of a host name: a Map, so that the millionth site is found as fast as the first. */
export class Router {
  readonly #sites = new Map<string, SiteSnapshot>()

  constructor(sites: readonly SiteSnapshot[]) {
    for (const site of sites) for (const name of site.names) this.#sites.set(name, site)
  }

  /** The site with exactly this name, else the one with the wildcard that covers it. Takes a name as `parseHost` gives it. */
  site(name: string): SiteSnapshot | undefined {
    return this.#sites.get(name) ?? this.#sites.get(wildcardOf(name))
  }
}

/** `*.example.com` for `www.example.com`: a wildcard stands for one label (RFC 9525 §6.3). */
export function wildcardOf(name: string): string {
  return `*${name.slice(Math.max(0, name.indexOf('.')))}`
}

/** Whether one of a certificate's names covers this host, exactly or by wildcard. */
export function covers(certificateNames: readonly string[], name: string): boolean {
  return certificateNames.includes(name) || certificateNames.includes(wildcardOf(name))
}
