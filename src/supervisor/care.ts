import { isDeepStrictEqual } from 'node:util'
import type { Limits } from '../certificates/ledger/limits.ts'
import { withNamesAtRest } from '../certificates/on-demand/at-rest.ts'
import type { OnDemand } from '../certificates/on-demand/on-demand.ts'
import { type Certificates, loadCertificates } from '../certificates/renewal.ts'
import { createResponderClient } from '../certificates/responder.ts'
import type { CertificatesState } from '../certificates/state.ts'
import type { Config } from '../config/config.ts'
import type { InternalIssuer } from '../issuers/internal.ts'
import type { Issuer } from '../issuers/issuer.ts'
import type { CertificateNotices } from '../notices/certificate-notices.ts'
import type { Storage } from '../storage/storage.ts'
import type { Clock } from '../system/clock.ts'
import type { Random } from '../system/random.ts'
import type { Log } from '../telemetry/log.ts'
import type { CertificateBoard } from './certificate-board.ts'
import { takesTls12 } from './edge-config.ts'
import { createIssuers, limitsOf } from './issuers.ts'
import type { ListeningSet } from './listening-set.ts'
import { createSelfProof } from './self-proof.ts'
import { onDemandSite, siteCertificates } from './site-certificates.ts'
import type { WorkerPool } from './worker-pool.ts'

/** What one config means for the certificates, as it is looked after. */
export type Care = {
  readonly config: Config
  readonly listening: ListeningSet
  readonly issuers: ReadonlyMap<string, Issuer>
  readonly certificates: Certificates
  readonly onDemand: OnDemand | undefined
  readonly limitsOf: (authority: string) => Limits
}

/** What outlives a config. */
export type Grounds = {
  readonly storage: Storage
  readonly internal: InternalIssuer
  readonly attention: CertificateNotices
  readonly pool: WorkerPool
  readonly board: CertificateBoard
  /** What is served has changed, of the care that is current. Resolves once the workers have been told. */
  readonly onChange: (certificates: Certificates, state: () => CertificatesState) => Promise<void> | void
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/** Loads all that the storage holds for a config. Nothing is ordered before it is current. Throws StorageError. */
export async function loadCare(
  config: Config,
  listening: ListeningSet,
  grounds: Grounds,
  former?: Care,
): Promise<Care> {
  const { internal, pool, clock } = grounds
  const issuers = createIssuers(config, internal, { ...grounds, publisher: pool }, former)
  const limits = limitsFor(config, former)
  let onDemand: OnDemand | undefined
  let loaded: Certificates | undefined
  const certificates = await loadCertificates({
    ...grounds,
    ...siteCertificates(config),
    issuers,
    limitsOf: limits,
    mayOrder: async (wanted, ending) => onDemand?.mayOrder(wanted, ending),
    askResponder: createResponderClient({ clock }),
    prove: createSelfProof({
      targets: listening.https.flatMap(({ reachedAt }) => reachedAt),
      proxyProtocolFrom: config.listen.proxyProtocolFrom,
      ready: () => pool.accepting,
      takesTls12: takesTls12(config.sites),
      clock,
    }),
    // What changes before that is told as a whole.
    onChange: (state) => loaded && grounds.onChange(loaded, state),
    former: former?.certificates,
  })
  loaded = certificates
  onDemand = await createOnDemandFor(config, certificates, grounds)
  if (former?.onDemand !== undefined) await onDemand?.takeOver(former.onDemand)
  return { config, listening, issuers, certificates, onDemand, limitsOf: limits }
}

/** The same function as long as it says the same: what was spent is then counted in one place. */
function limitsFor(config: Config, former: Care | undefined): Care['limitsOf'] {
  const said = ({ issuers }: Config) => [...issuers].map(([, { directory, rateLimits }]) => [directory, rateLimits])
  return former !== undefined && isDeepStrictEqual(said(former.config), said(config))
    ? former.limitsOf
    : limitsOf(config)
}

/** Loaded only where it is needed: the public suffix list is 10 MB of memory. */
async function createOnDemandFor(
  { sites }: Config,
  certificates: Certificates,
  grounds: Grounds,
): Promise<OnDemand | undefined> {
  for (const site of sites) {
    const { onDemand } = site
    if (onDemand === undefined) continue
    const { createOnDemand } = await import('./on-demand.ts')
    return createOnDemand({ ...site, onDemand }, { ...grounds, certificates })
  }
  return undefined
}

/** What an operator sees and does, names on demand that are at rest included. */
export function operatedBy(
  { config, certificates, issuers, onDemand, limitsOf: limits }: Care,
  { storage, clock }: Pick<Grounds, 'storage' | 'clock'>,
): ReturnType<typeof withNamesAtRest> {
  const site = config.sites.find((each) => each.onDemand !== undefined)
  const names = site && onDemand && { site: onDemandSite(site), names: onDemand }
  return withNamesAtRest(certificates, names && { ...names, issuers, storage, clock, limitsOf: limits })
}
