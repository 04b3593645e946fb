import { lookup as systemLookup } from 'node:dns'
import type { LookupFunction } from 'node:net'

/** RFC 6761 §6.3: never asked of anybody. Which of the two an app listens on depends on its runtime. */
const LOCALHOST = [
  { address: '127.0.0.1', family: 4 },
  { address: '::1', family: 6 },
]

/**
 * Resolves the names of upstreams as the system does, anew for each connection: a name that leads elsewhere by now is
 * followed as soon as connections are replaced. `localhost` is both loopback addresses, whatever the hosts file says.
 */
export const lookupUpstream: LookupFunction = (name, options, callback) => {
  if (name.toLowerCase() !== 'localhost') return systemLookup(name, options, callback)
  if (options.all === true) return callback(null, LOCALHOST)
  const { address, family } = LOCALHOST[options.family === 6 ? 1 : 0]!
  callback(null, address, family)
}
