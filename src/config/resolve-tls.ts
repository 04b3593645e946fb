import { resolve } from 'node:path'
import type { ClientAuth, ClientTls } from '../guards.ts'
import type { Spot } from './document.ts'
import type { Findings } from './findings.ts'
import { readTrust } from './pem-file.ts'
import { Refusal } from './problem.ts'
import type { TlsSettings } from './tls-schema.ts'

/** What one place says of TLS with clients. False turns off what the place around it says. */
export type TlsLayer = {
  readonly minVersion: ClientTls['minVersion'] | undefined
  readonly clientAuth: ClientAuth | false | undefined
}

/** Makes ready what one place says. */
export async function settleTls(
  { minVersion, clientAuth }: TlsSettings = {},
  spot: Spot,
  findings: Findings,
): Promise<TlsLayer> {
  if (!clientAuth) return { minVersion, clientAuth }
  const place = spot.at('clientAuth', 'trust')
  const trust = await readTrust(resolve(spot.document.folder, clientAuth.trust), findings.files)
  if (trust instanceof Refusal) findings.refuse(place, trust)
  const { mode, chain } = clientAuth
  return { minVersion, clientAuth: { trust: trust instanceof Refusal ? '' : trust, mode, sendsChain: chain } }
}

/** Of each setting, what the first of these says. undefined where all is as usual. */
export function tlsOf(...layers: readonly TlsLayer[]): ClientTls | undefined {
  const minVersion = layers.find((layer) => layer.minVersion !== undefined)?.minVersion ?? '1.2'
  const clientAuth = layers.find((layer) => layer.clientAuth !== undefined)?.clientAuth || undefined
  return minVersion === '1.2' && clientAuth === undefined ? undefined : { minVersion, clientAuth }
}
