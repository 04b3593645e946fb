import type { Exchange } from '../exchange/exchange.ts'
import { withOwnFields } from '../exchange/own-fields.ts'

/**
 * RFC 6797 §7.2: said over TLS only, and on every response of the site, redirects and errors included. The operator's word
 * takes the place of the application's, as there must be just one such field.
 *
 * @param scheme what the client speaks, perhaps with a proxy in front of us.
 * @param value the whole field value, settled when the config is loaded.
 */
export function applyHsts(exchange: Exchange, scheme: 'http' | 'https', value: string | undefined): Exchange {
  if (value === undefined || scheme !== 'https') return exchange
  return withOwnFields(exchange, ['Strict-Transport-Security', value])
}
