import type { Spot } from './document.ts'
import type { Findings } from './findings.ts'
import { Refusal } from './problem.ts'
import type { SiteSettings } from './schema.ts'
import { ANY_NAME, siteNameFormat } from './site-name.ts'

/** A site as it stands in a file. */
export type SiteEntry = {
  readonly key: string
  readonly spot: Spot
  /** Undefined if they have problems that were reported already: then only its names count. */
  readonly settings: SiteSettings | undefined
}

/** A name and where a site takes it: in its key or among its aliases. */
export type Claim = { readonly name: string; readonly spot: Spot; readonly by: 'key' | 'alias' }

/** Reports a name where the site takes it. */
export function refuseClaim({ spot, by }: Claim, refusal: Refusal, findings: Findings): void {
  if (by === 'key') findings.refuseKey(spot, refusal)
  else findings.refuse(spot, refusal)
}

/** Who has which name. */
export class SiteClaims {
  readonly #claims = new Map<string, Claim>()
  readonly #findings: Findings

  constructor(findings: Findings) {
    this.#findings = findings
  }

  /** The claims that hold: names that are none, and those that another site has, are reported and left out. */
  add(entry: SiteEntry): Claim[] {
    return [...keyClaim(entry, this.#findings), ...aliasClaims(entry)].filter((claim) => this.#settle(claim))
  }

  has(name: string): boolean {
    return this.#claims.has(name)
  }

  names(): Iterable<string> {
    return this.#claims.keys()
  }

  #settle(claim: Claim): boolean {
    const first = this.#claims.get(claim.name)
    if (first === undefined) {
      this.#claims.set(claim.name, claim)
      return true
    }
    const fault = `but this name is taken already at ${first.spot.location}`
    const refusal = new Refusal('give each name to one site, once', { fault })
    refuseClaim(claim, refusal, this.#findings)
    return false
  }
}

function keyClaim({ key, spot }: SiteEntry, findings: Findings): Claim[] {
  const name = key === ANY_NAME ? key : siteNameFormat.read(key)
  if (!(name instanceof Refusal)) return [{ name, spot, by: 'key' }]
  findings.refuseKey(spot, name)
  return []
}

function aliasClaims({ spot, settings }: SiteEntry): Claim[] {
  const list = spot.at('aliases')
  const names = settings === undefined ? legibleNames(list.value) : (settings.aliases ?? [])
  return names.flatMap((name, index) => (name === undefined ? [] : [{ name, spot: list.item(index), by: 'alias' }]))
}

/** What can be made out of aliases whose problems are reported already. */
function legibleNames(aliases: unknown): (string | undefined)[] {
  return (Array.isArray(aliases) ? aliases : [aliases]).map((alias: unknown) => {
    const name = typeof alias === 'string' ? siteNameFormat.read(alias) : undefined
    return name instanceof Refusal ? undefined : name
  })
}
