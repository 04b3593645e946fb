import { http1Requests } from './requests.ts'

/** Answers that fill a TLS record. */
export const http1Medium = http1Requests({
  name: 'http1-16k',
  title: 'HTTP/1.1, answers of 16 KiB',
  connections: 32,
  path: '/medium',
})
