import type { CompressPolicy, Policy } from '../policy.ts'
import type { CompressSettings } from './compress-schema.ts'
import type { Spot } from './document.ts'
import type { Findings } from './findings.ts'
import type { PolicySettings } from './policy-schema.ts'
import { type GuardLayer, guardsOf, settleGuards } from './resolve-guards.ts'

/** What one place says of a policy: a route, its site, or the defaults. */
export type PolicyLayer = PolicySettings & { readonly guards: GuardLayer }

/** Reads what one place says, once, however many inherit it. */
export async function policyLayer(
  settings: PolicySettings,
  scope: 'site' | 'route',
  spot: Spot,
  findings: Findings,
): Promise<PolicyLayer> {
  return { ...settings, guards: await settleGuards(settings, scope, spot, findings) }
}

/** Makes a policy ready: of each key, what the first of these says about it, from the innermost outwards. */
export function resolvePolicy(...layers: readonly PolicyLayer[]): Policy {
  const headers = first(layers, 'headers')
  const errors = first(layers, 'errors')
  const maintenance = first(layers, 'maintenance')
  const compress = first(layers, 'compress')
  return {
    maxBodyBytes: first(
      layers.map(({ limits = {} }) => limits),
      'body',
    ),
    headers: headers && { request: headers.request, response: headers.response },
    guards: guardsOf(layers.map(({ guards }) => guards)),
    ...(errors && { errors }),
    ...(maintenance && { maintenance }),
    ...(compress && { compress: compressPolicy(compress) }),
  }
}

function compressPolicy({ encodings, minSize, types }: CompressSettings): CompressPolicy {
  return { encodings, minBytes: minSize, types }
}

function first<Layer extends object, Key extends keyof Layer>(
  layers: readonly Layer[],
  key: Key,
): Layer[Key] | undefined {
  for (const layer of layers) if (layer[key] !== undefined) return layer[key]
  return undefined
}
