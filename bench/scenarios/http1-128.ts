import { http1Requests } from './requests.ts'

/** More at once than most proxies keep connections to an upstream by default. */
export const http1With128 = http1Requests({ name: 'http1-128', title: 'HTTP/1.1, 128 connections', connections: 128 })
