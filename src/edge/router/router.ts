import type { SiteSnapshot } from '../snapshot.ts'

/** Finds the site of a host name: a Map, so that the millionth site is found as fast as the first. */
export class Router {
  readonly #sites = new Map<string, SiteSnapshot>()
  /** Whose names are issued on demand. */
  readonly #others: SiteSnapshot | undefined

  constructor(sites: readonly SiteSnapshot[]) {
    for (const site of sites) for (const name of site.names) this.#sites.set(name, site)
    this.#others = this.#sites.get('*')
  }

  /**
   * The site with exactly this name, else the one with the wildcard that covers it, else the one for all others. Takes a name
   * as `parseHost` gives it.
   */
  site(name: string): SiteSnapshot | undefined {
    const listed = this.listed(name)
    if (listed !== undefined || this.#others === undefined) return listed
    return isOnDemandName(name) ? this.#others : undefined
  }

  /** The same, without the one for all others. */
  listed(name: string): SiteSnapshot | undefined {
    return this.#sites.get(name) ?? this.#sites.get(wildcardOf(name))
  }
}

/** Whether this can be a name that is certified on demand: one of two labels or more, and not an address. */
export function isOnDemandName(name: string): boolean {
  return ON_DEMAND_NAME.test(name)
}

/** RFC 1035 §2.3.1, for the last label: a digit in front of it would be an IPv4 address's. */
const ON_DEMAND_NAME = /^[a-z0-9-][a-z0-9.-]*\.[a-z][a-z0-9-]*$/

/** `*.example.com` for `www.example.com`: a wildcard stands for one label (RFC 9525 §6.3). */
export function wildcardOf(name: string): string {
  return `*${name.slice(Math.max(0, name.indexOf('.')))}`
}

/** Whether one of a certificate's names covers this host, exactly or by wildcard. */
export function covers(certificateNames: readonly string[], name: string): boolean {
  return certificateNames.includes(name) || certificateNames.includes(wildcardOf(name))
}
