import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { transferWithH2load } from '../load/h2load.ts'
import { TRANSFER_BYTES } from '../load/transfer.ts'
import { SITE_NAME } from '../site.ts'
import { http2Transfers, TRANSFERS } from './transfers.ts'

export const uploadHttp2 = http2Transfers({
  name: 'upload-http2',
  title: 'upload of 100 MB, HTTP/2',
  origin: 'interactive',
  load: ({ port }) =>
    withLargeFile((file) => transferWithH2load({ port, name: SITE_NAME, path: '/sink', count: TRANSFERS, file })),
})

/** Lends a file to send, which takes no room on the disk. */
async function withLargeFile(use: (file: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'castellan-bench-'))
  try {
    const file = join(folder, 'large')
    await writeFile(file, '')
    await truncate(file, TRANSFER_BYTES)
    await use(file)
  } finally {
    await rm(folder, { recursive: true })
  }
}
