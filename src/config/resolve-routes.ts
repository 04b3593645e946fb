import type { Route } from './config.ts'
import type { Spot } from './document.ts'
import { Refusal } from './problem.ts'
import type { RedirectSurroundings } from './redirect-loop.ts'
import { resolveAction } from './resolve-action.ts'
import { resolveConcurrency } from './resolve-concurrency.ts'
import { withReadPages } from './resolve-errors.ts'
import { type PolicyLayer, policyLayer, resolvePolicy } from './resolve-policy.ts'
import type { RouteSettings } from './route-schema.ts'
import type { Claim } from './site-claims.ts'

/** Makes a site's routes ready, in their order. `layers` are the policies that they start from, the site's own first. */
export async function resolveRoutes(
  settings: readonly RouteSettings[],
  layers: readonly PolicyLayer[],
  names: readonly Claim[],
  spot: Spot,
  around: RedirectSurroundings,
): Promise<Route[]> {
  const routes: Route[] = []
  const known = new Map<string, number>()
  for (const [index, each] of settings.entries()) {
    const place = spot.item(index)
    const action = await resolveAction(each, names, place, around)
    const own = await policyLayer(await withReadPages(each, place, around.findings), 'route', place, around.findings)
    const route = {
      ...conditionsOf(each),
      stripPrefix: each.stripPrefix,
      policy: resolvePolicy(own, ...layers),
      // What a site allows it allows for all of its routes together.
      concurrency: resolveConcurrency(each.limits, undefined, place.at('limits'), around.findings),
    }
    checkPrefix(each, place, around)
    const sameAs = known.get(conditionKey(route))
    if (sameAs !== undefined)
      around.findings.refuse(
        place.at('path'),
        new Refusal('give it another path, or methods', { fault: `which routes[${sameAs}] takes already` }),
      )
    else known.set(conditionKey(route), index)
    if (action !== undefined) routes.push({ ...route, action })
  }
  return routes
}

function conditionsOf({
  path,
  methods,
  matchHeaders = {},
}: RouteSettings): Pick<Route, 'path' | 'methods' | 'headers'> {
  return {
    path,
    // Who serves GET serves HEAD (RFC 9110 §9.3.2).
    methods: methods?.includes('GET') ? [...new Set([...methods, 'HEAD'])] : methods,
    headers: Object.entries(matchHeaders).map(([name, value]) => ({
      name: name.toLowerCase(),
      value: value === true ? undefined : value,
    })),
  }
}

/** Case does not count in a path. */
function conditionKey({ path, methods, headers }: Pick<Route, 'path' | 'methods' | 'headers'>): string {
  return JSON.stringify([
    path.toLowerCase(),
    methods?.toSorted(),
    headers.map(({ name, value }) => [name, value]).sort(),
  ])
}

function checkPrefix({ path, stripPrefix }: RouteSettings, spot: Spot, { findings }: RedirectSurroundings): void {
  if (stripPrefix === undefined || `${path.toLowerCase()}/`.startsWith(`${stripPrefix.toLowerCase()}/`)) return
  const fault = `which the path ${JSON.stringify(path)} does not begin with`
  findings.refuse(spot.at('stripPrefix'), new Refusal('allowed: whole segments from the front of the path', { fault }))
}
