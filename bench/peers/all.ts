import { caddy } from './caddy.ts'
import { castellan } from './castellan.ts'
import { haproxy } from './haproxy.ts'
import { httpProxy } from './http-proxy.ts'
import { nginx } from './nginx.ts'
import type { Peer } from './peer.ts'

/** In the order of the table's columns. */
export const peers: readonly Peer[] = [castellan, nginx, haproxy, caddy, httpProxy]
