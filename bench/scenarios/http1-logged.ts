import { http1Requests } from './requests.ts'

export const http1Logged = http1Requests({
  name: 'http1-logged',
  title: 'HTTP/1.1, access log in a file',
  connections: 32,
  extras: { hasAccessLog: true },
})
