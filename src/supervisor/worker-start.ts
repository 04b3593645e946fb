import { availableParallelism } from 'node:os'
import { isDeepStrictEqual } from 'node:util'
import type { Config } from '../config/config.ts'
import type { HstsKeeper } from '../hsts/keeper.ts'
import type { MaintenanceKeeper } from '../maintenance/keeper.ts'
import type { LogFormat } from '../telemetry/log.ts'
import type { CertificateBoard } from './certificate-board.ts'
import { edgeSnapshot, siteSnapshot } from './edge-config.ts'
import type { ListeningSet } from './listening-set.ts'
import { changeInParts, inParts } from './message-parts.ts'
import type { TicketRotation } from './ticket-rotation.ts'
import type { UpstreamWatch } from './upstreams/upstream-watch.ts'
import type { WorkerStart } from './worker-cohort.ts'
import { spawnWorker } from './worker-process.ts'

/** What workers are told of besides the config. */
export type WorkerFacts = {
  readonly board: CertificateBoard
  readonly tickets: TicketRotation
  /** As it is then: a reload may put another in its place. */
  readonly hsts: () => Pick<HstsKeeper, 'field'>
  readonly maintenance: () => Pick<MaintenanceKeeper, 'closed'>
  readonly upstreams: Pick<UpstreamWatch, 'knowledge'>
  readonly logFormat: LogFormat
  /** The script that starts this program. */
  readonly program: string
}

/** How workers are started for a config, on these sockets. */
export function workerStart(config: Config, listening: ListeningSet, facts: WorkerFacts): WorkerStart {
  const { board, tickets, hsts, maintenance, upstreams, logFormat, program } = facts
  const count = config.workers === 'auto' ? availableParallelism() : config.workers
  const snapshot = edgeSnapshot(config)
  const { fds, specs: listeners } = listening
  return {
    count,
    spawn: () => spawnWorker(program, fds),
    startMessages: function* (challenges) {
      const snapshotOf = (site: Config['sites'][number]) =>
        siteSnapshot(site, { hsts: hsts().field(site.name), maintenance: maintenance().closed(site.name) })
      for (const part of inParts(config.sites)) yield { type: 'sites', sites: part.map(snapshotOf) }
      yield {
        type: 'start',
        listeners,
        snapshot,
        challenges,
        ticketSecrets: tickets.secrets,
        log: { level: config.log.level, format: logFormat },
        accessLog: { file: config.log.access?.file, format: config.log.access?.format ?? logFormat },
        drainMs: config.timeouts.drainMs,
      }
      for (const change of changeInParts(board.all())) yield { type: 'certificates', change }
      yield { type: 'upstreams', conditions: { ...upstreams.knowledge, workers: count } }
      yield { type: 'listen' }
    },
  }
}

/** Whether those who serve one config can serve the other without being told anything else than of certificates. */
export function servesAlike(one: Config, other: Config): boolean {
  return isDeepStrictEqual(viewOf(one), viewOf(other))
}

function viewOf(config: Config): object {
  const { listen, workers, log } = config
  const hsts = config.sites.map((site) => site.hsts)
  const sites = config.sites.map((site) => siteSnapshot(site, { hsts: undefined, maintenance: undefined }))
  return { snapshot: edgeSnapshot(config), sites, hsts, listen, workers, log }
}
