import { http1Requests } from './requests.ts'

export const http1 = http1Requests({ name: 'http1', title: 'HTTP/1.1, 32 connections', connections: 32 })
