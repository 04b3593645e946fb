import type { Fields, RequestHead } from '../exchange/exchange.ts'
import type { RouteSnapshot } from '../snapshot.ts'
import { type PathPattern, parsePattern } from './path-pattern.ts'

/** What the choice among routes rests on, besides the path. */
export type RoutedRequest = Pick<RequestHead, 'method' | 'fields'>

/** A place in the tree of segments, and the routes whose patterns end there, those with more conditions first. */
class Place {
  readonly literals = new Map<string, Place>()
  any: Place | undefined
  readonly ends: Record<PathPattern['end'], RouteSnapshot[]> = { exact: [], slash: [], rest: [] }

  below(segment: string): Place {
    if (segment === '*') {
      this.any ??= new Place()
      return this.any
    }
    const known = this.literals.get(segment)
    if (known !== undefined) return known
    const added = new Place()
    this.literals.set(segment, added)
    return added
  }
}

/**
 * The routes of a site as a tree of path segments, so that a request pays for the depth of its path and not for their
 * number. The most specific wins: segment by segment, a literal before `*` before what a final `/*` takes; among the same
 * patterns, the one with more conditions, and then the one that stands first. Case does not count, since many applications
 * do not tell it apart either, and what protects `/admin` would not protect `/Admin`.
 */
export class RouteTable {
  readonly #root = new Place()

  constructor(routes: readonly RouteSnapshot[]) {
    for (const route of routes) {
      const { segments, end } = parsePattern(route.path)
      let place = this.#root
      for (const segment of segments) place = place.below(segment)
      place.ends[end].push(route)
      place.ends[end].sort((a, b) => conditions(b) - conditions(a))
    }
  }

  /** The route that takes this request, whose path is normalized; undefined if none does. */
  find(path: string, request: RoutedRequest): RouteSnapshot | undefined {
    return new Search(path, (route) => isMet(route, request)).from(this.#root, 0)
  }

  /** The methods with which a route would take this path. */
  methods(path: string, { fields }: RoutedRequest): string[] {
    const methods = new Set<string>()
    const collect = (route: RouteSnapshot): boolean => {
      if (areFieldsMet(route, fields)) for (const method of route.methods ?? []) methods.add(method)
      return false
    }
    new Search(path, collect).from(this.#root, 0)
    return [...methods]
  }
}

/** One walk through the tree. Each place is looked at no more than once. */
class Search {
  readonly #segments: readonly string[]
  readonly #hasSlash: boolean
  readonly #takes: (route: RouteSnapshot) => boolean

  constructor(path: string, takes: (route: RouteSnapshot) => boolean) {
    this.#hasSlash = path.endsWith('/')
    const inner = path.toLowerCase().slice(1, this.#hasSlash && path.length > 1 ? -1 : undefined)
    this.#segments = inner === '' ? [] : inner.split('/')
    this.#takes = takes
  }

  from(place: Place, at: number): RouteSnapshot | undefined {
    const segment = this.#segments[at]
    if (segment === undefined) return this.#ending(place)
    const literal = place.literals.get(segment)
    return (
      (literal && this.from(literal, at + 1)) ??
      (place.any && this.from(place.any, at + 1)) ??
      place.ends.rest.find(this.#takes)
    )
  }

  #ending({ ends }: Place): RouteSnapshot | undefined {
    const slash = this.#hasSlash ? ends.slash.find(this.#takes) : undefined
    return slash ?? ends.exact.find(this.#takes) ?? ends.rest.find(this.#takes)
  }
}

function conditions({ methods, headers }: RouteSnapshot): number {
  return headers.length + (methods === undefined ? 0 : 1)
}

function isMet({ methods, headers }: RouteSnapshot, { method, fields }: RoutedRequest): boolean {
  // Some applications take `get` for GET; those that do not refuse it in either place.
  if (methods !== undefined && !methods.includes(method) && !methods.includes(method.toUpperCase())) return false
  return headers.length === 0 || areFieldsMet({ headers }, fields)
}

function areFieldsMet({ headers }: Pick<RouteSnapshot, 'headers'>, fields: Fields): boolean {
  return headers.every(({ name, value }) => {
    for (let at = 0; at < fields.length; at += 2)
      if (fields[at]!.toLowerCase() === name && (value === undefined || fields[at + 1] === value)) return true
    return false
  })
}
