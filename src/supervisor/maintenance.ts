import { MAX_PAGE_BYTES } from '../config/resolve-errors.ts'
import { TextFiles } from '../config/text-file.ts'
import { CastellanError } from '../errors.ts'
import type { MaintenanceKeeper, MaintenanceReport, MaintenanceWish } from '../maintenance/keeper.ts'
import type { WorkerPool } from './worker-pool.ts'

/** A page cannot be shown. */
export class PageError extends CastellanError {
  declare readonly code: 'page-unreadable'
}

/** What an operator may do about maintenance: it is noted, and all workers are told. */
export function operatedMaintenance(keeper: MaintenanceKeeper, pool: Pick<WorkerPool, 'changeMaintenance'>) {
  return {
    report: (): MaintenanceReport[] => keeper.report(),
    change: async (site: string, wish: MaintenanceWish): Promise<void> =>
      pool.changeMaintenance([await keeper.change(site, wish)]),
    readPage,
  }
}

async function readPage(path: string): Promise<string> {
  const file = await new TextFiles().read(path)
  if ('fault' in file) throw new PageError('page-unreadable', `The page ${path} cannot be used: ${file.fault}.`)
  if (Buffer.byteLength(file.text) <= MAX_PAGE_BYTES) return file.text
  throw new PageError('page-unreadable', `The page ${path} is larger than ${MAX_PAGE_BYTES / 1024} KiB.`)
}
