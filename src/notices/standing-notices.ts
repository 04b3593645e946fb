import type { StorageReader } from '../storage/storage.ts'
import { worstOf } from './board.ts'
import { loadNotices } from './stored-notice.ts'
import type { Notice } from './trouble.ts'
import { noticeOf } from './wording.ts'

/** What was told and is not over, as the storage has it, in the words of now. Throws StorageError `storage-unreadable`. */
export async function standingNotices(storage: StorageReader, now: number): Promise<Notice[]> {
  const stored = await loadNotices(storage)
  return stored.flatMap(({ key, thing }) => {
    if (thing === undefined) return []
    const telling = { state: 'reminder', trouble: worstOf(thing.parts), since: thing.since } as const
    return [noticeOf(key, telling, [], now)]
  })
}
