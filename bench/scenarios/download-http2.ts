import { transferWithH2load } from '../load/h2load.ts'
import { SITE_NAME } from '../site.ts'
import { http2Transfers, TRANSFERS } from './transfers.ts'

export const downloadHttp2 = http2Transfers({
  name: 'download-http2',
  title: 'download of 100 MB, HTTP/2',
  origin: 'static',
  load: ({ port }) => transferWithH2load({ port, name: SITE_NAME, path: '/large', count: TRANSFERS }),
})
