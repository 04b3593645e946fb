import { http1Requests } from './requests.ts'

/** As the load itself takes a core, what a second worker adds shows in what a request costs: the same, if it is all of it. */
export const http1TwoWorkers = http1Requests({
  name: 'http1-two-workers',
  title: 'HTTP/1.1, two workers',
  connections: 32,
  extras: { workers: 2 },
})
