import { createAskClient } from '../certificates/on-demand/ask-client.ts'
import { OnDemand } from '../certificates/on-demand/on-demand.ts'
import { Permission } from '../certificates/on-demand/permission.ts'
import type { Certificates } from '../certificates/renewal.ts'
import type { Site } from '../config/config.ts'
import { createNameResolver } from '../preflight/name-resolver.ts'
import type { Storage } from '../storage/storage.ts'
import type { Clock } from '../system/clock.ts'
import { systemRandom } from '../system/random.ts'
import type { Log } from '../telemetry/log.ts'
import type { CertificateBoard } from './certificate-board.ts'
import { onDemandSite } from './site-certificates.ts'
import type { WorkerPool } from './worker-pool.ts'

type Surroundings = {
  readonly certificates: Pick<Certificates, 'added'>
  readonly board: CertificateBoard
  readonly pool: Pick<WorkerPool, 'changeCertificates'>
  readonly storage: Storage
  readonly clock: Clock
  readonly log: Log
}

/** The certificates of names that no site lists, as the site "*" has it. */
export function createOnDemand(
  site: Site & { readonly onDemand: NonNullable<Site['onDemand']> },
  { certificates, board, pool, storage, clock, log }: Surroundings,
): OnDemand {
  const { ask, allow, addresses, waitMs, waiting, refusedForMs, keepForMs, perHour } = site.onDemand
  const permission = new Permission({
    allow,
    ask: ask === undefined ? undefined : createAskClient(ask, clock),
    addresses,
    resolver: createNameResolver(),
    refusedForMs,
  })
  return new OnDemand({
    site: onDemandSite(site),
    permission,
    limits: perHour,
    ...{ waitMs, waiting, refusedForMs, keepForMs, storage, clock, random: systemRandom, log },
    certificates: certificates.added,
    publish: (held) => pool.changeCertificates(board.put(held)),
  })
}
