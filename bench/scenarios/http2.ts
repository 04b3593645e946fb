import { http2Requests } from './requests.ts'

export const http2 = http2Requests({ name: 'http2', title: 'HTTP/2, 4 × 32 streams', connections: 4, streams: 32 })
