import { http1Requests } from './requests.ts'

/** A whole handshake each, as wrk never resumes a session. */
export const newConnection = http1Requests({
  name: 'new-connection',
  title: 'new connection and a request',
  connections: 16,
  closing: true,
})
