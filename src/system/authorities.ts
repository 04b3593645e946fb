import { tls } from './tls.ts'

/**
 * The authorities that this machine trusts, in PEM: those that Node brings along, those of the system's own store, where an
 * operator adds a root, and those of NODE_EXTRA_CA_CERTS. Reading them takes some milliseconds, so each caller does it once.
 */
export function trustedAuthorities(): string[] {
  return [...new Set([...tls.getCACertificates('default'), ...tls.getCACertificates('system')])]
}
