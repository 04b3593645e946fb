import { http2Requests } from './requests.ts'

/** What a browser does most of the time: nothing that could be gathered into one write. */
export const http2Single = http2Requests({
  name: 'http2-single',
  title: 'HTTP/2, 32 × 1 stream',
  connections: 32,
  streams: 1,
})
