import { carelessReadings } from '../../uri/careless-readings.ts'
import { isNotable, normalizePath, pathEnd } from '../../uri/path.ts'
import type { RouteSnapshot } from '../snapshot.ts'
import type { RoutedRequest, RouteTable } from './route-table.ts'

/** Which route takes a request, and in what spelling its target goes on. */
export type RouteChoice =
  | { readonly type: 'chosen'; readonly route: RouteSnapshot | undefined; readonly target: string }
  /** Another server could read the path as one of another route. */
  | { readonly type: 'ambiguous'; readonly reading: string }

/**
 * The path is normalized, and what is matched is what is forwarded. One that another server could read as the path of
 * another route is refused: a protection that depends on the spelling would be none.
 */
export function chooseRoute(table: RouteTable, target: string, request: RoutedRequest): RouteChoice {
  const end = pathEnd(target)
  const written = target.slice(0, end)
  const path = normalizePath(written)
  const route = table.find(path, request)
  if (isNotable(path))
    for (const reading of carelessReadings(path))
      if (reading === undefined || table.find(reading, request) !== route)
        return { type: 'ambiguous', reading: reading ?? path }
  const normalized = path === written ? target : path + target.slice(end)
  const prefix = route?.stripPrefix
  return { type: 'chosen', route, target: prefix === undefined ? normalized : withoutPrefix(normalized, prefix) }
}

/** The path is known to begin with it, whatever the case. */
function withoutPrefix(target: string, prefix: string): string {
  const rest = target.slice(prefix.length)
  return rest.startsWith('/') ? rest : `/${rest}`
}
