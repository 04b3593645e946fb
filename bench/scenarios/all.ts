import { coldName } from './cold-name.ts'
import { download } from './download.ts'
import { downloadHttp2 } from './download-http2.ts'
import { http1 } from './http1.ts'
import { http1With128 } from './http1-128.ts'
import { http1Logged } from './http1-logged.ts'
import { http1Medium } from './http1-medium.ts'
import { http1TwoWorkers } from './http1-two-workers.ts'
import { http2 } from './http2.ts'
import { http2Single } from './http2-single.ts'
import { idle } from './idle.ts'
import { latency } from './latency.ts'
import { newConnection } from './new-connection.ts'
import { resumption, resumptionElsewhere } from './resumption.ts'
import type { Scenario } from './scenario.ts'
import { start, startTwoWorkers } from './start.ts'
import { upload } from './upload.ts'
import { uploadHttp2 } from './upload-http2.ts'
import { websocket } from './websocket.ts'

/** In the order of the table's rows. */
export const scenarios: readonly Scenario[] = [
  http1,
  http1With128,
  http1Medium,
  http1Logged,
  http1TwoWorkers,
  http2,
  http2Single,
  newConnection,
  resumption,
  resumptionElsewhere,
  download,
  downloadHttp2,
  upload,
  uploadHttp2,
  websocket,
  idle,
  start,
  startTwoWorkers,
  coldName,
  latency,
]
