import { askProgram } from '../../admin/client.ts'
import type { UpstreamReport } from '../../admin/upstream-report.ts'
import type { MaintenanceReport } from '../../maintenance/keeper.ts'
import { systemClock } from '../../system/clock.ts'

/** What the program that runs knows and no config says. Nothing where none runs. */
export type LiveState = {
  readonly upstreams: readonly UpstreamReport[]
  readonly maintenance: readonly MaintenanceReport[]
}

export const NONE_RUNS: LiveState = { upstreams: [], maintenance: [] }

/** Throws ControlError. */
export async function liveState(folder: string): Promise<LiveState> {
  const upstreams: UpstreamReport[] = []
  const maintenance: MaintenanceReport[] = []
  for (const ask of ['upstreams', 'maintenance'] as const) {
    const request = ask === 'upstreams' ? { ask } : { ask, site: undefined, action: undefined, ...NOTHING_MORE }
    for await (const reply of (await askProgram(folder, request, systemClock)) ?? []) {
      if (reply.type === 'upstream') upstreams.push(reply.report)
      if (reply.type === 'maintenance') maintenance.push(reply.report)
    }
  }
  return { upstreams, maintenance }
}

const NOTHING_MORE = { forMs: undefined, page: undefined }
