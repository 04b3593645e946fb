import type { SiteAction } from './config.ts'
import type { Spot } from './document.ts'
import { Refusal } from './problem.ts'
import { checkRedirect, type RedirectSurroundings } from './redirect-loop.ts'
import { resolveUpstream } from './resolve-upstream.ts'
import type { RouteSettings } from './route-schema.ts'
import type { Claim } from './site-claims.ts'

/** What a site or a route may do with a request: exactly one of them. */
const ACTIONS = ['upstream', 'redirectTo', 'respond'] as const

type ActionSettings = Pick<RouteSettings, (typeof ACTIONS)[number] | 'code'>

/** RFC 9110 §15.4.9: a form that is sent to the old address arrives at the new one. */
const PERMANENT_REDIRECT = 308

const WITHOUT_CONTENT = new Set([204, 205, 304])

/** Makes ready what answers. `own` are the names of the site, where a redirect must not lead back to. */
export async function resolveAction(
  settings: ActionSettings,
  own: readonly Claim[],
  spot: Spot,
  around: RedirectSurroundings,
): Promise<SiteAction | undefined> {
  const { upstream, redirectTo, respond, code } = settings
  const given = ACTIONS.filter((key) => settings[key] !== undefined)
  if (given.length !== 1) {
    const found = given.length === 0 ? `found none of ${list(ACTIONS)}` : `found ${list(given)} together`
    around.findings.refuse(spot, new Refusal(`allowed: exactly one of ${list(ACTIONS)}`, { found }))
    return undefined
  }
  if (code !== undefined && redirectTo === undefined)
    around.findings.refuseKey(
      spot.at('code'),
      new Refusal('remove it', { found: 'it is of use with redirectTo alone' }),
    )
  if (upstream !== undefined) {
    const place = typeof spot.value === 'string' ? spot : spot.at('upstream')
    return { type: 'proxy', upstream: await resolveUpstream(upstream, place, around.findings) }
  }
  if (redirectTo !== undefined) {
    checkRedirect(redirectTo, own, around, spot.at('redirectTo'))
    return { type: 'redirect', to: redirectTo, status: code ?? PERMANENT_REDIRECT }
  }
  const { status, body = '', contentType } = respond!
  if (body !== '' && WITHOUT_CONTENT.has(status)) {
    const refusal = new Refusal('remove it', { found: `${status} has no content (RFC 9110 §6.4.1)` })
    around.findings.refuseKey(spot.at('respond', 'body'), refusal)
  }
  return { type: 'respond', status, fields: body === '' ? [] : ['Content-Type', contentType], body }
}

function list(words: readonly string[]): string {
  return `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`
}
